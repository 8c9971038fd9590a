"""Reading of one tier of Praat's TextGrid files, in the long or the short form.

praatio 6.2 refuses files that Praat reads, such as UTF-16 without a byte order mark, and accepts damaged ones.
"""

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from sure.errors import SureError

# Tokens of a text file of Praat (its manual, "TextGrid file formats"): quoted strings, free-standing numbers and flags;
# all other text is a comment.
TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)([-+]?[0-9][0-9.eE+-]*)(?!\S)|<(\w+)>|(!.*)')
OVERLAP = 0.01  # allowed overlap of intervals, in seconds, because programs round


class Interval(NamedTuple):
    """`start` and `end` in seconds; `label` without white space at the ends."""

    start: float
    end: float
    label: str


def read_tier(path: str | Path, name: str) -> list[Interval]:
    """The intervals of the first tier with this name, in upper or lower case, or `speaker - name` as aligners write it.

    The encoding is UTF-8 or UTF-16, else Latin-1. Tiers after this one are not read. Raises SureError naming the file.
    """
    content = _decode(path)
    if "ooTextFile" not in content[:100] or "TextGrid" not in content[:200]:
        raise SureError(f"{path}: not a TextGrid in text form; save it as a text file in Praat")
    tokens = _tokens(content)
    tiers: list[str] = []
    try:
        for what in (str, str, float, float):  # kinds of file and object, start and end
            _next(tokens, what)
        count = int(_next(tokens, float)) if _next(tokens, str) == "exists" else 0
        for _ in range(count):
            kind, tier, *_ = (_next(tokens, what) for what in (str, str, float, float))
            rows = _rows(tokens, kind)
            tiers.append(tier)
            if kind == "IntervalTier" and tier.strip().lower().rpartition(" - ")[2] == name.lower():
                return _in_order(path, name, rows)
    except (ValueError, OverflowError):
        raise SureError(f"{path}: damaged or incomplete in tier {len(tiers) + 1}") from None
    raise SureError(f"{path}: no interval tier {name!r}; its tiers are: {', '.join(tiers) or 'none'}")


def _decode(path: str | Path) -> str:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise SureError(f"cannot read {path}: {error.strerror}") from None
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content[:2]:
        return content.decode("utf-16-le" if content[1:2] == b"\0" else "utf-16-be", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _tokens(content: str) -> Iterator[str | float]:
    """The tokens: strings and flags as str, numbers as float."""
    for match in TOKEN.finditer(content):
        string, number, flag, _ = match.groups()
        if number is not None:
            yield float(number)
        elif string is not None:
            yield string.replace('""', '"')
        elif flag is not None:
            yield flag


def _next(tokens: Iterator[str | float], what: type) -> Any:
    token = next(tokens, None)
    if not isinstance(token, what):
        raise ValueError
    return token


def _rows(tokens: Iterator[str | float], kind: str) -> list[Interval]:
    """The rows of a tier: `start end text` in an interval tier, `time mark` in a point tier."""
    if kind not in ("IntervalTier", "TextTier"):
        raise ValueError
    rows = []
    for _ in range(int(_next(tokens, float))):
        start = _next(tokens, float)
        end = _next(tokens, float) if kind == "IntervalTier" else start
        rows.append(Interval(start, end, _next(tokens, str).strip()))
    return rows


def _in_order(path: str | Path, name: str, rows: list[Interval]) -> list[Interval]:
    for row in rows:
        if not row.start <= row.end < math.inf:
            raise SureError(f"{path}: tier {name!r}: {row.label!r} is from {row.start:g} to {row.end:g} s")
    for earlier, later in pairwise(rows):
        if later.start < earlier.end - OVERLAP:
            raise SureError(
                f"{path}: tier {name!r}: {later.label!r} from {later.start:g} to {later.end:g} s does not follow "
                f"{earlier.label!r}, which ends at {earlier.end:g} s"
            )
    return rows
