"""Tokenizers: characters, phones, slot marks, or sentencepiece bpe and unigram; id 0 is always the CTC blank."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import sentencepiece

from sure.errors import SureError
from sure.parsing import read_json
from sure.text.slots import MARK

BLANK = "<blank>"
SPACE = "<space>"  # longer than one character, so no character of a text can be mistaken for it
SYMBOLS = {"character": "one character", "phone": "one phone", "slot": "one character or mark of a slot"}
STAGE = "run stage 3, tokenize, again, or give the folder that it wrote"
KINDS = (*SYMBOLS, "bpe", "unigram")


class Piece(NamedTuple):
    """What a token adds to a text: whether a new word begins with it, its letters, and whether the word ends there."""

    begins: bool
    letters: str
    ends: bool


class Tokenizer:
    """Text to ids and back. Use `train_tokenizer` or `Tokenizer.load`; the texts are already normalised."""

    blank = 0
    kind: str

    @property
    def size(self) -> int:
        """Number of ids, the blank included: the width of a CTC head."""
        raise NotImplementedError

    def symbols(self, text: str) -> list[str]:
        """What `text` is made of: characters, phones, or characters and marks of slots."""
        return list(text)

    def unknown(self, text: str) -> list[str]:
        """The symbols of `text` that have no id, in order, each as often as it occurs (for reports)."""
        return [symbol for symbol in self.symbols(" ".join(text.split())) if symbol not in self._known]

    def encode(self, text: str, unknown: str = "error") -> list[int]:
        """Ids of `text`, never the blank. Runs of white space count as one space, none at the ends.

        A symbol without an id raises SureError, or is left out with `unknown="skip"`; see `unknown`.
        """
        if unknown not in ("error", "skip"):
            raise SureError(f"unknown={unknown!r}: expected error or skip")
        text = " ".join(text.split())
        if missing := self.unknown(text):
            if unknown == "error":
                raise SureError(
                    f"{_describe(missing[0])} in the text {text!r} has no token: the training texts "
                    "do not contain it; normalise or correct the text, or train the tokenizer on such texts"
                )
            kept = ((" " if len(one) > 1 else "") if one in missing else one for one in self.symbols(text))
            text = " ".join(self._join(kept).split())
        return self._encode(text)

    def decode(self, ids: Iterable[int]) -> str:
        """Text of `ids`, with single spaces and none at the ends; blanks are left out, repeats are kept."""
        ids = [int(i) for i in ids]
        for i in ids:
            if not 0 <= i < self.size:
                raise SureError(f"token id {i}: this tokenizer has the ids 0 to {self.size - 1}")
        return " ".join(self._decode([i for i in ids if i != self.blank]).split())

    def save(self, folder: str | Path) -> None:
        """Write `tokenizer.json` (kind and size), `tokens.txt` (one symbol a line, line 1 is id 0), and for
        bpe and unigram `sentencepiece.model` into `folder`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "tokens.txt", "".join(f"{token}\n" for token in self.tokens()))
        self._save_model(folder)
        _write(folder / "tokenizer.json", json.dumps({"kind": self.kind, "size": self.size}) + "\n")

    @staticmethod
    def load(folder: str | Path) -> Tokenizer:
        """The tokenizer that `save` wrote; SureError names what is missing or wrong."""
        folder = Path(folder)
        path = folder / "tokenizer.json"
        about = read_json(path, STAGE, keys=("kind", "size"))
        if about["kind"] not in KINDS:
            raise SureError(f"{path}: kind is {about['kind']!r}, expected one of {' '.join(KINDS)}; {STAGE}")
        if about["kind"] in SYMBOLS:
            tokens = _read(folder / "tokens.txt").removesuffix("\n").split("\n")
            tokenizer: Tokenizer = SymbolTokenizer(about["kind"], tokens, folder)
        else:
            tokenizer = SentencepieceTokenizer(about["kind"], _read_model(folder))
        if tokenizer.size != about["size"]:
            raise SureError(
                f"{folder}: tokenizer.json says {about['size']} tokens, found {tokenizer.size}: the "
                f"files do not belong together; {STAGE}"
            )
        return tokenizer

    def tokens(self) -> list[str]:
        """The symbols by id, the blank first."""
        raise NotImplementedError

    def pieces(self) -> list[Piece]:
        """What each token adds to a text, by id; the blank adds nothing."""
        return [Piece(False, "", False), *map(self._piece, self.tokens()[1:])]

    _known: Collection[str]  # the symbols that have an id

    def _join(self, symbols: Iterable[str]) -> str:
        return "".join(symbols)

    def _encode(self, text: str) -> list[int]:
        raise NotImplementedError

    def _decode(self, ids: list[int]) -> str:
        raise NotImplementedError

    def _piece(self, token: str) -> Piece:
        raise NotImplementedError

    def _save_model(self, folder: Path) -> None:
        """Write what `tokens.txt` does not hold."""


class SymbolTokenizer(Tokenizer):
    """One id per symbol, sorted by code point after the blank, so the order never depends on a process.

    character: every character. phone: what stands between spaces. slot: characters, and each mark of a slot
    (`B-artist`, `E-artist`) as one symbol that has the spaces around it with it.
    """

    def __init__(self, kind: str, tokens: list[str], source: str | Path = "tokens"):
        self.kind = kind
        self._list = tokens
        self._ids = {" " if token == SPACE else token: i for i, token in enumerate(tokens) if i}
        self._known = self._ids.keys()
        spaced = {" "} if kind == "slot" else set()  # between words, so never a text of its own
        are_symbols = all(self.symbols(symbol) == [symbol] or symbol in spaced for symbol in self._ids)
        if tokens[0] != BLANK or not are_symbols or len(set(tokens)) < max(2, len(tokens)):
            raise SureError(
                f"{Path(source) / 'tokens.txt'}: expected {BLANK} on line 1, then {SYMBOLS[kind]} "
                f"(or {SPACE}) a line, each once; {STAGE}"
            )

    @classmethod
    def train(cls, texts: list[str], kind: str) -> SymbolTokenizer:
        symbols = sorted({symbol for text in texts for symbol in _symbols(kind, text)})
        return cls(kind, [BLANK, *(SPACE if symbol == " " else symbol for symbol in symbols)])

    @property
    def size(self) -> int:
        return len(self._list)

    def symbols(self, text: str) -> list[str]:
        return _symbols(self.kind, text)

    def tokens(self) -> list[str]:
        return self._list

    def _join(self, symbols: Iterable[str]) -> str:
        if self.kind == "phone":
            return " ".join(symbols)
        return "".join(f" {symbol} " if len(symbol) > 1 else symbol for symbol in symbols)

    def _encode(self, text: str) -> list[int]:
        return [self._ids[symbol] for symbol in self.symbols(text)]

    def _decode(self, ids: list[int]) -> str:
        return self._join(" " if self._list[i] == SPACE else self._list[i] for i in ids)

    def _piece(self, token: str) -> Piece:
        if token == SPACE:
            return Piece(True, "", False)
        whole = self.kind == "phone" or len(token) > 1
        return Piece(whole, token, whole)


def _symbols(kind: str, text: str) -> list[str]:
    if kind == "character":
        return list(text)
    if kind == "phone":
        return text.split()
    symbols: list[str] = []
    for word in text.split():
        if MARK.fullmatch(word):
            symbols.append(word)
        else:
            symbols += [" "] * (len(symbols) > 0 and len(symbols[-1]) == 1) + list(word)
    return symbols


class SentencepieceTokenizer(Tokenizer):
    """Sentencepiece bpe or unigram pieces. Its id 0 (unknown) is never encoded and serves as the blank."""

    def __init__(self, kind: str, model: bytes):
        self.kind = kind
        self._model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        # every character of the training texts is a piece of its own; sentencepiece writes the space as ▁
        self._known = {token for token in self.tokens() if len(token) == 1} - {"▁"} | {" "}

    @classmethod
    def train(cls, texts: list[str], kind: str, size: int) -> SentencepieceTokenizer:
        """One thread and sorted texts: the same texts give the same model, byte for byte."""
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

    @property
    def size(self) -> int:
        return self._processor.get_piece_size()

    def tokens(self) -> list[str]:
        return [self._processor.id_to_piece(i) for i in range(self.size)]

    def _encode(self, text: str) -> list[int]:
        return [i for i in self._processor.encode(text) if i != self.blank]

    def _decode(self, ids: list[int]) -> str:
        return self._processor.decode(ids)

    def _piece(self, token: str) -> Piece:
        return Piece(token.startswith("▁"), token.removeprefix("▁"), False)

    def _save_model(self, folder: Path) -> None:
        (folder / "sentencepiece.model").write_bytes(self._model)


def train_tokenizer(
    texts: Iterable[str], kind: str, size: int | None = None, folder: str | Path | None = None
) -> Tokenizer:
    """Train on normalised `texts` (the training set alone) and save into `folder` when one is given.

    `size` counts the blank; bpe and unigram need it, the others have their own. Raises SureError for an
    unknown kind, for texts without words, and for a size out of bounds, naming the bound.
    """
    texts = [" ".join(text.split()) for text in texts]
    if kind not in KINDS:
        raise SureError(f"tokenizer kind {kind!r}: expected one of {' '.join(KINDS)}")
    if not any(texts):
        raise SureError("no text to train a tokenizer on: the training set needs a text file with words")
    if kind in SYMBOLS:
        tokenizer: Tokenizer = SymbolTokenizer.train(texts, kind)
    elif size is None:
        raise SureError(f"tokenizer kind {kind} needs tokenizer.size, the number of tokens (500, say)")
    else:
        tokenizer = SentencepieceTokenizer.train(texts, kind, int(size))
    if folder is not None:
        tokenizer.save(folder)
    return tokenizer


def _size_advice(kind: str, size: int, message: str) -> str:
    """Sentencepiece's own message, with the bound that it names said plainly."""
    if largest := re.search(r"too high.*<= (\d+)", message, re.DOTALL):
        return f"tokenizer.size={size} is too large: {kind} can make at most {largest[1]} tokens of these texts"
    if smallest := re.search(r"required_chars\D*\d+ vs (\d+)", message, re.DOTALL):
        return f"tokenizer.size={size} is too small: the characters and the blank alone need {smallest[1]}"
    return f"sentencepiece could not train {size} {kind} tokens: {message}"


def _describe(symbol: str) -> str:
    if len(symbol) > 1:
        return repr(symbol)
    return f"{symbol!r} (U+{ord(symbol):04X} {unicodedata.name(symbol, 'unnamed')})"


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8", newline="\n")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise SureError(f"{path} does not exist; {STAGE}") from None
    except UnicodeDecodeError as error:
        raise SureError(f"{path} is not UTF-8 text ({error}); {STAGE}") from None


def _read_model(folder: Path) -> bytes:
    path = folder / "sentencepiece.model"
    try:
        model = path.read_bytes()
        sentencepiece.SentencePieceProcessor(model_proto=model)
    except (FileNotFoundError, NotADirectoryError):
        raise SureError(f"{path} does not exist; {STAGE}") from None
    except RuntimeError as error:
        raise SureError(f"{path} is not a sentencepiece model ({error}); {STAGE}") from None
    return model
