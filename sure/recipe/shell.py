"""The exchange with the shell: dataclasses from `name=value` words, and as assignments for its `eval`."""

import dataclasses
import shlex
from collections.abc import Sequence
from typing import Any, TypeVar

from sure.errors import SureError

T = TypeVar("T")


def from_words(kind: type[T], words: Sequence[str]) -> T:
    """A dataclass from `name=value` words, one for each item of a list. Raises SureError for an unknown name."""
    made = kind()
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in vars(made):
            raise SureError(f"{word!r}: expected NAME=VALUE; the names are: {', '.join(vars(made))}")
        if isinstance(getattr(made, name), list):
            getattr(made, name).append(value)
        else:
            setattr(made, name, value)
    return made


def assignments(value: Any) -> list[str]:
    """`name=word` or, for a list, `name=(word ...)`; an item that is a dataclass is one word: its own assignments."""
    found = []
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        text = f"({' '.join(map(_word, content))})" if isinstance(content, list) else _word(content)
        found.append(f"{field.name}={text}")
    return found


def _word(value: Any) -> str:
    return shlex.quote(" ".join(assignments(value)) if dataclasses.is_dataclass(value) else value)
