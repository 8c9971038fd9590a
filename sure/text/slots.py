"""Texts with marked slots: `play B-track hello world E-track by B-artist adele E-artist`."""

from __future__ import annotations

import itertools
import re

from sure.errors import SureError
from sure.text.normalize import normalize

MARK = re.compile(r"([BE])-(\S+)")  # a word of its own, before the first or behind the last word of a slot
EXPECTED = "expected B-type, the slot's words and E-type, one slot behind another"


def normalize_marked(text: str, language: str) -> str:
    """`text` with the words between the marks normalised, and the marks as they are.

    Raises SureError for digits in a language without number words, and for marks that no slot is made of.
    """
    runs = itertools.groupby(text.split(), lambda word: bool(MARK.fullmatch(word)))
    parts = (" ".join(run) if marks else normalize(" ".join(run), language) for marks, run in runs)
    text = " ".join(part for part in parts if part)
    check_marks(text)
    return text


def check_marks(text: str) -> None:
    """Raises SureError where slots are open, nested, crossing or empty."""
    opened, words = "", 0
    for word in text.split():
        mark = MARK.fullmatch(word)
        if mark is None:
            words += 1
        elif mark[1] == "B":
            if opened:
                raise SureError(f"{word} stands inside the slot {opened} in {text!r}; {EXPECTED}")
            opened, words = mark[2], 0
        elif mark[2] != opened:
            where = f"ends no slot, E-{opened} is missing" if opened else f"without a B-{mark[2]} before it"
            raise SureError(f"{word} {where} in {text!r}; {EXPECTED}")
        elif not words:
            raise SureError(f"no word between B-{opened} and E-{opened} in {text!r}; leave such marks out")
        else:
            opened = ""
    if opened:
        raise SureError(f"B-{opened} without an E-{opened} behind it in {text!r}; {EXPECTED}")


def slots_of(text: str) -> list[tuple[str, str]]:
    """The (type, value) of every slot in order, of any text, well formed or not.

    From left to right: B-type opens a slot that the next E-type of the same type ends. What is between are its
    words; other marks there are left out, so of nested and crossing slots the outer or first one counts. B-type
    without such an end, E-type without a beginning, and a slot without words are none.

    The same as s3prl's SUPERB, but that there marks in malformed texts can be the words of a slot.
    """
    words = text.split()
    slots = []
    place = 0
    while place < len(words):
        mark = MARK.fullmatch(words[place])
        end = f"E-{mark[2]}" if mark and mark[1] == "B" else ""
        if end in words[place:]:
            stop = words.index(end, place)
            if value := " ".join(word for word in words[place:stop] if not MARK.fullmatch(word)):
                slots.append((mark[2], value))
            place = stop
        place += 1
    return slots
