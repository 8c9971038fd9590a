"""Safe reading of text, JSON and YAML: plain values or an error; no object is constructed, no code is run."""

import codecs
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import yaml

from sure.errors import SureError, some_of

MOST_VALUES = 100_000  # in one YAML document, aliases expanded
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def decode_text(path: str | Path, content: bytes, other: str | None = None) -> str:
    """The text of a file in UTF-8, in UTF-16 with a byte order mark, or else in the encoding `other`; without the mark.

    Raises SureError naming the line that cannot be decoded.
    """
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
    encoding = MARKS.get(mark, "utf-8")
    try:
        return content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        if other and not mark:
            return content.decode(other)
        line = content.count(b"\n", 0, len(mark) + error.start) + 1
        wrong = f"not {encoding.upper()} ({error.reason})"
        raise SureError(f"{path}:{line}: {wrong}; convert the file to UTF-8, or make or copy it again") from None


def read_json(path: Path, remedy: str, keys: Collection[str] = ()) -> dict[str, Any]:
    """The object in a JSON file.

    Raises SureError, which ends with `remedy`, if the file is missing, cannot be read, is not JSON, is not an object,
    or lacks one of `keys`.
    """
    return _read_mapping(path, remedy, keys, parse_json, "JSON")


def read_yaml(path: Path, remedy: str, keys: Collection[str] = ()) -> dict[str, Any]:
    """The mapping in a YAML file. Raises SureError as `read_json` does."""
    return _read_mapping(path, remedy, keys, parse_yaml, "YAML")


def parse_yaml(text: str, scalars_as_text: bool = False) -> Any:
    """The value of a YAML text. Raises ValueError with one line that describes the fault.

    scalars_as_text: a number or `true` stays text. Both loaders construct plain values only.
    """
    try:
        value = yaml.load(text, yaml.BaseLoader if scalars_as_text else yaml.SafeLoader)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:  # also ValueError for a date such as 2020-13-13, TypeError for a list as a key
        raise ValueError(" ".join(str(error).split())) from None
    _check_size(value)
    return value


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _read_mapping(
    path: Path, remedy: str, keys: Collection[str], parse: Callable[[str], Any], language: str
) -> dict[str, Any]:
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SureError(f"{path} does not exist; {remedy}") from None
    except OSError as error:
        raise SureError(f"cannot read {path}: {error.strerror}; {remedy}") from None
    except ValueError as error:
        raise SureError(f"{path} is not valid {language} ({error}); {remedy}") from None
    if not isinstance(value, dict):
        raise SureError(f"{path}: expected keys and values at the top, found {type(value).__name__}; {remedy}")
    if missing := [key for key in keys if key not in value]:
        raise SureError(f"{path} lacks {some_of(missing)}; {remedy}")
    return value


def _check_size(value: Any) -> None:
    """Raise ValueError for too many values: nested aliases can expand to more than the memory, or without end."""
    left, waiting = MOST_VALUES, [value]
    while waiting:
        one = waiting.pop()
        left -= 1
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, (list, tuple, set)):
            waiting += one
        if left < len(waiting):
            raise ValueError(f"it expands to more than {MOST_VALUES:,} values")
