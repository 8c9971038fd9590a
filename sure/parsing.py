"""JSON and YAML from outside: plain values or a ValueError, whatever the text; nothing is constructed or run."""

from __future__ import annotations

import json
from typing import Any

import yaml

MOST_VALUES = 100_000


def parse_yaml(text: str) -> Any:
    """The value of a YAML text. Raises ValueError saying in one line what is wrong with it."""
    try:
        value = yaml.safe_load(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:  # a date such as 2020-13-13 is a ValueError there, a list as a key a TypeError
        raise ValueError(" ".join(str(error).split())) from None
    _check_size(value)
    return value


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _check_size(value: Any) -> None:
    """A few aliases of lists of aliases stand for more than any memory holds, and one of itself for no end."""
    left, waiting = MOST_VALUES, [value]
    while waiting:
        one = waiting.pop()
        left -= 1
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, (list, tuple, set)):
            waiting += one
        if left < len(waiting):
            raise ValueError(f"it stands for more than {MOST_VALUES:,} values")
