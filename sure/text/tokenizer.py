"""Tokenizers: characters, phones, slot marks, or sentencepiece bpe and unigram; id 0 is always the CTC blank."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import sentencepiece

from sure.errors import SureError
from sure.parsing import read_json
from sure.text.labels import STAGE
from sure.text.slots import MARK

SETTINGS, TOKENS, MODEL = "tokenizer.json", "tokens.txt", "sentencepiece.model"
BLANK = "<blank>"
SPACE = "<space>"  # longer than one character, so different from every character
SYMBOLS = {"character": "one character", "phone": "one phone", "slot": "one character or slot mark"}
KINDS = (*SYMBOLS, "bpe", "unigram")


class Piece(NamedTuple):
    """Effect of a token on the text: whether it begins a new word, its letters, and whether it ends the word."""

    begins: bool
    letters: str
    ends: bool


class Tokenizer(ABC):
    """Normalised text to ids and back; made by `train_tokenizer` or `Tokenizer.load`.

    tokens: the symbols by id, the blank first. size: their number, the output width of a CTC head.
    """

    blank = 0
    _known: Collection[str]  # the symbols that have an id

    def __init__(self, kind: str, tokens: list[str]):
        self.kind, self.tokens, self.size = kind, tokens, len(tokens)

    def symbols(self, text: str) -> list[str]:
        """The symbols of `text`: characters, phones, or characters and slot marks."""
        return _symbols(self.kind, text)

    def unknown(self, text: str) -> list[str]:
        """The symbols of `text` without an id, in order and with repeats."""
        return [symbol for symbol in self.symbols(" ".join(text.split())) if symbol not in self._known]

    def encode(self, text: str, skip_unknown: bool = False) -> list[int]:
        """Ids of `text`, without blanks. White space counts as one space and is removed at the ends.

        A symbol without an id raises SureError, or is left out with `skip_unknown`.
        """
        text = " ".join(text.split())
        if missing := self.unknown(text):
            if not skip_unknown:
                raise SureError(
                    f"{_describe(missing[0])} in the text {text!r} has no token, because the training texts do not "
                    "contain it; correct the text, or train the tokenizer on texts that contain it"
                )
            kept = ((" " if len(one) > 1 else "") if one in missing else one for one in self.symbols(text))
            text = " ".join(self._join(kept).split())
        return self._encode(text)

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids` with single spaces; blanks are left out, repeats are kept. Raises SureError for other ids."""
        ids = [int(i) for i in ids]
        for i in ids:
            if not 0 <= i < self.size:
                raise SureError(f"token id {i}: expected 0 to {self.size - 1}")
        return " ".join(self._decode([i for i in ids if i != self.blank]).split())

    def save(self, folder: str | Path) -> None:
        """Write tokenizer.json (kind and size), tokens.txt (symbol of id 0 on line 1, and so on), and, for bpe and
        unigram, sentencepiece.model to `folder`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TOKENS).write_text("".join(f"{token}\n" for token in self.tokens), encoding="utf-8")
        about = {"kind": self.kind, "size": self.size}
        (folder / SETTINGS).write_text(json.dumps(about) + "\n", encoding="utf-8")

    @staticmethod
    def load(folder: str | Path) -> Tokenizer:
        """The tokenizer in a folder of `save`. Raises SureError for missing or invalid files."""
        folder = Path(folder)
        path = folder / SETTINGS
        about = read_json(path, STAGE, keys=("kind", "size"))
        kind = about["kind"]
        if kind not in KINDS:
            raise SureError(f"{path}: kind is {kind!r}, expected one of {' '.join(KINDS)}; {STAGE}")
        path = folder / (TOKENS if kind in SYMBOLS else MODEL)
        try:
            content = path.read_bytes()
            if kind in SYMBOLS:
                tokenizer: Tokenizer = SymbolTokenizer(kind, content.decode().removesuffix("\n").split("\n"), path)
            else:
                tokenizer = SentencepieceTokenizer(kind, content)
        except (FileNotFoundError, NotADirectoryError):
            raise SureError(f"{path} does not exist; {STAGE}") from None
        except (UnicodeDecodeError, RuntimeError) as error:  # RuntimeError: of sentencepiece
            raise SureError(f"{path} is not valid ({error}); {STAGE}") from None
        if tokenizer.size != about["size"]:
            sizes = f"{SETTINGS} has the size {about['size']}, but there are {tokenizer.size} tokens"
            raise SureError(f"{folder}: {sizes}; {STAGE}")
        return tokenizer

    def pieces(self) -> list[Piece]:
        """The pieces of all tokens by id; the blank is an empty piece."""
        return [Piece(False, "", False), *map(self._piece, self.tokens[1:])]

    def _join(self, symbols: Iterable[str]) -> str:
        if self.kind == "phone":
            return " ".join(symbols)
        return "".join(f" {symbol} " if len(symbol) > 1 else symbol for symbol in symbols)

    @abstractmethod
    def _encode(self, text: str) -> list[int]: ...

    @abstractmethod
    def _decode(self, ids: list[int]) -> str: ...

    @abstractmethod
    def _piece(self, token: str) -> Piece: ...


class SymbolTokenizer(Tokenizer):
    """One id per symbol; ids are sorted by code point after the blank, so the same texts give the same ids.

    character: each character. phone: words separated by spaces. slot: characters, and slot marks (`B-artist`,
    `E-artist`) as one symbol with the spaces around it.
    """

    def __init__(self, kind: str, tokens: list[str], path: Path = Path(TOKENS)):
        super().__init__(kind, tokens)
        self._ids = {" " if token == SPACE else token: i for i, token in enumerate(tokens) if i}
        self._known = self._ids.keys()
        spaced = {" "} if kind == "slot" else set()  # a text cannot consist of a space
        are_symbols = all(self.symbols(symbol) == [symbol] or symbol in spaced for symbol in self._ids)
        if tokens[0] != BLANK or not are_symbols or len(set(tokens)) < max(2, len(tokens)):
            raise SureError(
                f"{path}: expected {BLANK} on line 1, then {SYMBOLS[kind]} (or {SPACE}) per line, without repeats; "
                f"{STAGE}"
            )

    def _encode(self, text: str) -> list[int]:
        return [self._ids[symbol] for symbol in self.symbols(text)]

    def _decode(self, ids: list[int]) -> str:
        return self._join(" " if self.tokens[i] == SPACE else self.tokens[i] for i in ids)

    def _piece(self, token: str) -> Piece:
        if token == SPACE:
            return Piece(True, "", False)
        whole = self.kind == "phone" or len(token) > 1
        return Piece(whole, token, whole)


def _symbols(kind: str, text: str) -> list[str]:
    if kind == "phone":
        return text.split()
    if kind != "slot":
        return list(text)
    symbols: list[str] = []
    for word in text.split():
        if MARK.fullmatch(word):
            symbols.append(word)
        else:
            symbols += [" "] * (len(symbols) > 0 and len(symbols[-1]) == 1) + list(word)
    return symbols


class SentencepieceTokenizer(Tokenizer):
    """Sentencepiece bpe or unigram. Id 0, its unknown token, is never encoded and serves as the blank."""

    def __init__(self, kind: str, model: bytes):
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        super().__init__(kind, [self._processor.id_to_piece(i) for i in range(self._processor.get_piece_size())])
        self._model = model
        # each character of the training texts is a piece; sentencepiece writes the space as ▁
        self._known = {token for token in self.tokens if len(token) == 1} - {"▁"} | {" "}

    @classmethod
    def train(cls, texts: list[str], kind: str, size: int) -> SentencepieceTokenizer:
        """With one thread and sorted texts, the same texts give exactly the same model."""
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(sorted(texts)),
                model_writer=model,
                model_type=kind,
                vocab_size=size,
                character_coverage=1.0,
                normalization_rule_name="identity",
                unk_id=0,
                unk_piece=BLANK,
                bos_id=-1,
                eos_id=-1,
                pad_id=-1,
                num_threads=1,
                max_sentence_length=1 << 20,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise SureError(_size_advice(kind, size, str(error))) from None
        return cls(kind, model.getvalue())

    def save(self, folder: str | Path) -> None:
        super().save(folder)
        (Path(folder) / MODEL).write_bytes(self._model)

    def _encode(self, text: str) -> list[int]:
        return [i for i in self._processor.encode(text) if i != self.blank]

    def _decode(self, ids: list[int]) -> str:
        return self._processor.decode(ids)

    def _piece(self, token: str) -> Piece:
        return Piece(token.startswith("▁"), token.removeprefix("▁"), False)


def train_tokenizer(
    texts: Iterable[str], kind: str, size: int | None = None, folder: str | Path | None = None
) -> Tokenizer:
    """Train on normalised `texts` of the training set, and save to `folder` if it is given.

    size: number of tokens with the blank, only for bpe and unigram. Raises SureError for texts without words, and
    for a size out of bounds, naming the bound.
    """
    texts = [" ".join(text.split()) for text in texts]
    if not any(texts):
        raise SureError("no words to train a tokenizer on: the training set needs a file `text` with words")
    if kind in SYMBOLS:
        symbols = sorted({symbol for text in texts for symbol in _symbols(kind, text)})
        tokenizer: Tokenizer = SymbolTokenizer(kind, [BLANK, *(SPACE if one == " " else one for one in symbols)])
    elif size is None:
        raise SureError(f"tokenizer.kind={kind} needs tokenizer.size, the number of tokens, such as 500")
    else:
        tokenizer = SentencepieceTokenizer.train(texts, kind, int(size))
    if folder is not None:
        tokenizer.save(folder)
    return tokenizer


def _size_advice(kind: str, size: int, message: str) -> str:
    """Error message with the bound in the message of sentencepiece."""
    if largest := re.search(r"too high.*<= (\d+)", message, re.DOTALL):
        return f"tokenizer.size={size} is too large: these texts have at most {largest[1]} {kind} tokens"
    if smallest := re.search(r"required_chars\D*\d+ vs (\d+)", message, re.DOTALL):
        return f"tokenizer.size={size} is too small: the characters and the blank need {smallest[1]}"
    return f"sentencepiece could not train {size} {kind} tokens: {message}"


def _describe(symbol: str) -> str:
    if len(symbol) > 1:
        return repr(symbol)
    return f"{symbol!r} (U+{ord(symbol):04X} {unicodedata.name(symbol, 'unnamed')})"
