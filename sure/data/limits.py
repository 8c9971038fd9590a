"""Limits for every utterance, whatever the task and backbone: its duration, and its text against its duration."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

# Nobody says 30 letters a second, or phones of 70 letters, and no backbone here has more than 50 frames in one. What a
# backbone and a vocabulary make of the others is looked at when training starts.
LETTERS_PER_SECOND = 100
SLACK = 5  # letters, for the shortest utterances
MARK = re.compile(r"[BE]-\S+")  # around the words of a slot
SAID = "%&@#°"  # punctuation to Unicode, but words to whoever reads it out


@dataclass(frozen=True)
class Limits:
    """Seconds that an utterance may have, and percent of a set that may be bad before something else is wrong."""

    min_seconds: float = 0.025  # a frame of most backbones
    max_seconds: float = 600.0
    max_bad_percent: float = 50.0


def length_problem(seconds: float, shortest: float, longest: float, lower: str = "", upper: str = "") -> str | None:
    """Why an utterance of this duration cannot be used, or None where `shortest <= seconds <= longest`.

    lower, upper: name the limits in the message, for example `data.min_seconds=`.
    """
    if seconds < shortest:
        return f"shorter than {lower}{shortest:g} s"
    if seconds > longest:
        return f"longer than {upper}{longest:g} s"
    return None


def text_problem(text: str, seconds: float, known: frozenset[str] = frozenset()) -> str | None:
    """Why a text cannot be what is said in so many seconds, or None. known: `alphabet` of the training texts."""
    said = [char for word in text.split() if not MARK.fullmatch(word) for char in word if _is_said(char)]
    if not said:
        return "text without a letter or digit"
    if len(said) > LETTERS_PER_SECOND * seconds + SLACK:
        return "text too long for its audio"
    if known and all(map(str.isalpha, said)) and not alphabet([text]) & known:
        return "text without a letter of the training texts"
    return None


def alphabet(texts: Iterable[str]) -> frozenset[str]:
    """The letters of texts: in lower case, without marks."""
    letters = (unicodedata.normalize("NFD", char.lower())[0] for char in set().union(*texts) if char.isalpha())
    return frozenset(letters)


def _is_said(char: str) -> bool:
    return unicodedata.category(char) in ("Sc", "Sm") or unicodedata.category(char)[0] in "LN" or char in SAID
