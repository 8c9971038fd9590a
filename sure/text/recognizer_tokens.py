"""Tokens of Whisper and Moonshine: text to ids and back, prompts, and the tokens that generation leaves out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import tokenizers
from safetensors import SafetensorError, safe_open
from tokenizers import decoders, models, pre_tokenizers

from sure import hub
from sure.errors import SureError
from sure.parsing import decode_text, parse_json, read_json
from sure.registry import nearest
from sure.text.languages import language_code, without_free_spaces
from sure.text.recognizer_settings import (
    ALL_TEXT,
    BEFORE,
    END,
    NO_SPEECH,
    START,
    TASKS,
    Special,
    bytes_tokenizer,
    checked_special,
    read_special,
    with_all_merges,
)

FILE = "recognizer_tokens.json"
FILES = (FILE,)
METADATA = "sure_backbone"  # metadata key of a weights file; in its JSON, `tokens` is the content of FILE
REMEDY = "make it again, or pass the weights of a whole recogniser"
TIMESTAMPS = 1501  # 0 to 30 s
STEP = 0.02  # s
OTHER_CODES = {"cmn": "zh", "jv": "jw", "nb": "no", "fil": "tl"}  # ISO 639 -> Whisper


class RecognizerTokens:
    """The tokenizer of a recogniser, with its special tokens as attributes of the same names as in `Special`."""

    size: int
    start: int
    end: int
    before: int | None
    no_speech: int | None
    no_timestamps: int | None
    timestamps: int | None

    def __init__(self, tokenizer: dict[str, Any], special: Special):
        """tokenizer: the content of a tokenizer.json. Raises ValueError if it does not fit `special`."""
        self.tokenizer_json, self._special = tokenizer, special
        for name in ("size", "start", "end", "before", "no_speech", "no_timestamps", "timestamps"):
            setattr(self, name, getattr(special, name))
        self.languages, self.tasks = dict(special.languages or {}), dict(special.tasks or {})
        self.suppressed, self.suppressed_first = list(special.suppressed), list(special.suppressed_first)
        self.alignment_heads = list(special.alignment_heads)
        # no text may contain a special token: those that are marked as special are not looked for in texts
        added = [{**token, "special": True} for token in tokenizer.get("added_tokens") or []]
        try:
            self._tokenizer = tokenizers.Tokenizer.from_str(json.dumps({**tokenizer, "added_tokens": added}))
        except Exception as error:  # the package has no class of its own for errors
            raise ValueError(f"not a tokenizer.json ({error})") from None
        self._tokenizer.no_padding(), self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True
        self._own_space = _kind(tokenizer.get("pre_tokenizer")) != "ByteLevel"  # the tokenizer adds the first space
        self._not_text = {token["id"] for token in added} | {special.start, special.end}
        largest = max(self._tokenizer.get_vocab().values(), default=-1)
        if largest >= self.size:
            raise ValueError(f"token id {largest}, but the decoder has {self.size} tokens")

    @property
    def multilingual(self) -> bool:
        return bool(self.languages)

    def prompt(self, language: str | None = None, task: str = "transcribe", timestamps: bool = False) -> list[int]:
        """Ids before the text. A recogniser without language tokens ignores `language`.

        language: such as es, es-MX or spa. Raises SureError if a multilingual recogniser has no such language, or
        gets none, and if the recogniser cannot translate or write timestamps.
        """
        if task != "transcribe" and task not in self.tasks:
            raise SureError(f"this recogniser cannot {task}; use a multilingual Whisper")
        if timestamps and self.timestamps is None:
            raise SureError("this recogniser has no timestamps; use Whisper")
        named = [self.language(language), self.tasks[task]] if self.languages else []
        return [self.start, *named, *([self.no_timestamps] if self.no_timestamps and not timestamps else [])]

    def language(self, language: str | None) -> int:
        """The id of a language. Raises SureError that names the nearest one."""
        known = sorted(self.languages)
        if language is None:
            raise SureError("a multilingual recogniser needs the language of the utterance, such as es or fr")
        code = language_code(language)
        code = code if code in self.languages else OTHER_CODES.get(code, code)
        if code not in self.languages:
            raise SureError(
                f"the recogniser has no language {language!r}{nearest(code, known)}; it has {' '.join(known)}"
            )
        return self.languages[code]

    def encode(self, text: str) -> list[int]:
        """Ids of a text as the recogniser writes it, with a space before the first word; without prompt and end."""
        text = " ".join(text.split())
        if not text:
            return []
        if not self._own_space:
            text = without_free_spaces(f" {text[0]}") + text[1:]
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int], timestamps: bool = False) -> str:
        """The text of ids without special tokens; with `timestamps`, <|1.20|> stands for a token of time.

        Raises SureError for ids outside the vocabulary.
        """
        ids = [int(one) for one in ids]
        if wrong := [one for one in ids if not 0 <= one < self.size]:
            raise SureError(f"token id {wrong[0]}: expected 0 to {self.size - 1}")
        parts = []
        for times, group in groupby(ids, self.is_time):
            if not times:
                text = [one for one in group if one not in self._not_text]
                parts.append(self._tokenizer.decode(text, skip_special_tokens=False))
            elif timestamps:
                parts += (f"<|{self.seconds(one):.2f}|>" for one in group)
        return "".join(parts).strip()

    def is_time(self, id: int) -> bool:
        """Whether the token is a timestamp."""
        return self.timestamps is not None and id >= self.timestamps

    def seconds(self, id: int) -> float:
        """Time of a timestamp, from the start of the window."""
        return (id - self.timestamps) * STEP

    def dumps(self) -> str:
        """The content of FILE."""
        about = {"special": asdict(self._special), "tokenizer": self.tokenizer_json}
        return json.dumps(about, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def loads(cls, text: str, source: str | Path) -> RecognizerTokens:
        """The tokens in the content of FILE. Raises SureError naming `source` if it is not valid."""
        try:
            about = parse_json(text)
            return cls(about["tokenizer"], checked_special(about["special"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SureError(f"{source}: the tokens of the recogniser are not valid ({error}); {REMEDY}") from None

    def save(self, folder: str | Path) -> None:
        """Write FILE to `folder`."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / FILE).write_text(self.dumps(), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> RecognizerTokens:
        """The tokens that `save` wrote. Raises SureError if the file is missing or not valid."""
        path = Path(folder) / FILE
        read_json(path, REMEDY)
        return cls.loads(path.read_text(encoding="utf-8"), path)

    @classmethod
    def from_weights(cls, weights: str | Path) -> RecognizerTokens:
        """The tokens of a Hugging Face folder or name, or of a .safetensors file. Raises SureError without them."""
        path = hub.local(str(weights))
        if path.is_dir():
            return cls._from_folder(path)
        try:
            with safe_open(path, "pt") as file:
                about = parse_json((file.metadata() or {}).get(METADATA, "null"))
        except (SafetensorError, OSError, ValueError) as error:
            raise SureError(f"{path} is not a complete .safetensors file ({error}); create it again") from None
        text = about.get("tokens") if isinstance(about, dict) else None
        if not isinstance(text, str):
            raise SureError(
                f"{path} has the encoder alone, without decoder and tokens; fetch it again with "
                "tools/fetch_backbone.py, pass a Hugging Face folder of Whisper or Moonshine, or use the task with CTC"
            )
        return cls.loads(text, path)

    @classmethod
    def _from_folder(cls, folder: Path) -> RecognizerTokens:
        again = "pass a folder to which model and tokenizer were saved"
        config, tokenizer = read_json(folder / "config.json", again), _tokenizer_in(folder, again)
        path = folder / "generation_config.json"
        generation = read_json(path, again) if path.is_file() else {}
        return cls.from_settings(tokenizer, config, generation, folder)

    @classmethod
    def from_settings(
        cls, tokenizer: dict[str, Any], config: dict[str, Any], generation: dict[str, Any], source: str | Path
    ) -> RecognizerTokens:
        """From the contents of tokenizer.json, config.json and generation_config.json; those of `generation` win.

        Raises SureError naming `source` if they do not fit together.
        """
        try:
            tokenizer = with_all_merges(tokenizer)
            return cls(tokenizer, read_special(tokenizer, {**config, **generation}, int(config["vocab_size"])))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise SureError(f"{source}: the tokenizer does not fit the model ({reason}); {REMEDY}") from None

    @classmethod
    def bytes(cls, languages: Sequence[str] = ()) -> RecognizerTokens:
        """For random weights: a token for each byte, and Whisper's special tokens for these languages."""
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokenizer = tokenizers.Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        named = [f"<|{language}|>" for language in languages]
        tokenizer.add_special_tokens(
            [END, START, *named, *(f"<|{task}|>" for task in TASKS), BEFORE, NO_SPEECH[0], ALL_TEXT]
        )
        size = tokenizer.get_vocab_size() + TIMESTAMPS
        settings = {"is_multilingual": bool(languages), "vocab_size": size}
        return cls.from_settings(json.loads(tokenizer.to_str()), settings, {}, "random")


def _tokenizer_in(folder: Path, again: str) -> dict[str, Any]:
    """The tokenizer of a Hugging Face folder; older ones may have the files of a Python tokenizer alone."""
    if (folder / "tokenizer.json").is_file() or not (folder / "merges.txt").is_file():
        return read_json(folder / "tokenizer.json", again)
    vocabulary = read_json(folder / "vocab.json", again)
    added = read_json(folder / "added_tokens.json", again) if (folder / "added_tokens.json").is_file() else {}
    merges = decode_text(folder / "merges.txt", (folder / "merges.txt").read_bytes())
    try:
        return bytes_tokenizer(vocabulary, merges, added)
    except TypeError as error:
        raise SureError(f"{folder}: vocab.json or added_tokens.json has an id of the wrong type ({error})") from None


def _kind(part: Any) -> str | None:
    return part.get("type") if isinstance(part, dict) else None
