"""Tables of a data folder: reading and writing of lines `id value`, and the syntax of values."""

import math
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sure.errors import SureError

PER_UTTERANCE = ("text", "utt2label", "utt2spk", "utt2lang")
MOST_ID_BYTES = 200  # file names have up to 255 bytes, including endings such as .wav
NAMES = ("utt2label", "utt2spk")  # tables whose values are names of classes
TABLES = ("wav.scp", "segments", *PER_UTTERANCE, "utt2dur")


class Line(NamedTuple):
    """One line of a table: its number in the file, its id, and the rest."""

    number: int
    id: str
    value: str


def read_lines(path: Path) -> list[Line]:
    """The lines of a table, without blank ones. Raises SureError naming a line that is not UTF-8."""
    lines = []
    for number, raw in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            parts = raw.decode("utf-8").strip().split(maxsplit=1)
        except UnicodeDecodeError as error:
            raise SureError(f"{path}:{number}: not UTF-8 ({error.reason}); convert the file to UTF-8") from None
        if parts:
            value = parts[1] if len(parts) > 1 else ""
            value = value if path.name == "wav.scp" else " ".join(value.split())
            lines.append(Line(number, parts[0], one_form(value) if path.name in NAMES else value))
    return lines


def one_form(name: str) -> str:
    """A label or speaker in NFC, without invisible format characters: names that look alike are the same."""
    return "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf")


def read_unique(path: Path, remedy: str = "") -> dict[str, Line]:
    """The lines of a table by id. Raises SureError naming both lines of an id that is there twice."""
    lines: dict[str, Line] = {}
    for line in read_lines(path):
        if line.id in lines:
            raise SureError(
                f"{path}:{line.number}: the id '{line.id}' is already on line {lines[line.id].number}"
                f"{remedy and '; ' + remedy}"
            )
        lines[line.id] = line
    return lines


def read_table(path: Path, remedy: str = "") -> dict[str, str]:
    """The values of a table by id.

    A missing file is an empty table, or, where `remedy` says what to do about it, a SureError. Raises SureError for an
    id that is there twice.
    """
    if path.is_file():
        return {id: line.value for id, line in read_unique(path, remedy).items()}
    if remedy:
        raise SureError(f"{path} does not exist; {remedy}")
    return {}


def format_table(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{id} {value}".rstrip() + "\n" for id, value in rows)


def is_utf8(text: str) -> bool:
    """Whether a table can store `text`: file names may have bytes that are not UTF-8."""
    return text.encode(errors="ignore").decode() == text


def id_problem(id: str) -> str | None:
    """Why an id, which is also used as a file name, is unusable, or None."""
    if not id or id in {".", ".."}:
        return "is not a name"
    if "/" in id or "\\" in id:
        return "contains a path separator"
    if any(character.isspace() or not character.isprintable() for character in id):
        return "contains whitespace or a control character"
    if len(id.encode()) > MOST_ID_BYTES:
        return f"is too long for a file name: {len(id.encode())} bytes, at most {MOST_ID_BYTES} are allowed"
    return None


def parse_labels(path: Path, line: Line) -> dict[str, str]:
    """`label` -> {"label": label}; `a=x b=y` -> {"a": "x", "b": "y"}."""
    words = line.value.split()
    if len(words) == 1 and "=" not in words[0]:
        return {"label": words[0]}
    labels = dict(word.split("=", 1) for word in words if "=" in word)
    if not words or len(labels) != len(words) or not all(group and label for group, label in labels.items()):
        raise SureError(
            f"{path}:{line.number}: expected one label without spaces, or group=label pairs with different groups, "
            f"found '{line.value}'"
        )
    return labels


def format_labels(labels: dict[str, str]) -> str:
    if set(labels) == {"label"}:
        return labels["label"]
    return " ".join(f"{group}={label}" for group, label in labels.items())


def parse_segment(path: Path, line: Line) -> tuple[str, float, float | None]:
    """`recording start end`; an end of -1 means the end of the recording, as in Kaldi, and becomes None."""
    words = line.value.split()
    if len(words) != 3:
        raise SureError(f"{path}:{line.number}: expected 'id recording start end', found '{line.id} {line.value}'")
    start, end = (parse_seconds(path, line, word) for word in words[1:])
    if start < 0 or (end != -1 and end <= start):
        raise SureError(f"{path}:{line.number}: expected 0 <= start < end in seconds, found {words[1]} {words[2]}")
    return words[0], start, None if end == -1 else end


def parse_seconds(path: Path, line: Line, word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SureError(f"{path}:{line.number}: expected seconds, found '{word}'")
    return number
