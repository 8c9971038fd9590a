"""Transcripts with slot marks: `play B-track hello world E-track by B-artist adele E-artist`."""

import itertools
import re

from sure.errors import SureError
from sure.text.normalize import normalize

MARK = re.compile(r"([BE])-(\S+)")  # a separate word, before the first or after the last word of a slot
EXPECTED = "expected B-type, the words of the slot, E-type; slots cannot overlap"


def normalize_marked(text: str, language: str) -> str:
    """`text` with normalised words and unchanged marks.

    Raises SureError for digits in a language without number words, and for invalid marks.
    """
    runs = itertools.groupby(text.split(), lambda word: bool(MARK.fullmatch(word)))
    parts = (" ".join(run) if marks else normalize(" ".join(run), language) for marks, run in runs)
    text = " ".join(part for part in parts if part)
    check_marks(text)
    return text


def check_marks(text: str) -> None:
    """Raise SureError for open, nested, crossing or empty slots."""
    opened, words = "", 0
    for word in text.split():
        mark = MARK.fullmatch(word)
        if mark is None:
            words += 1
        elif mark[1] == "B":
            if opened:
                raise SureError(f"{word} is inside the slot {opened} in {text!r}; {EXPECTED}")
            opened, words = mark[2], 0
        elif mark[2] != opened:
            where = f"does not end the slot {opened}" if opened else f"without a B-{mark[2]} before it"
            raise SureError(f"{word} {where} in {text!r}; {EXPECTED}")
        elif not words:
            raise SureError(f"no word between B-{opened} and E-{opened} in {text!r}; remove the marks")
        else:
            opened = ""
    if opened:
        raise SureError(f"B-{opened} without an E-{opened} after it in {text!r}; {EXPECTED}")


def slots_of(text: str) -> list[tuple[str, str]]:
    """(type, value) of each slot in order; the text may have invalid marks, as hypotheses do.

    From left to right, B-type opens a slot, and the next E-type of the same type ends it. Other marks in between are
    ignored, so only the outer or first one of nested or crossing slots counts. B-type without an end, E-type without a
    beginning and slots without words are ignored. As in s3prl (SUPERB), where however marks can be words of a slot.
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
