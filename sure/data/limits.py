"""Limits for every utterance, whatever the task and backbone: its duration, and its text against its duration."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

# Speech has fewer than 30 letters or 70 letters of phone names per second, and no backbone here has more than 50 frames
# per second. Limits of a backbone and a vocabulary are checked at the start of training.
LETTERS_PER_SECOND = 100
SLACK = 5  # letters, for the shortest utterances
MARK = re.compile(r"[BE]-\S+")  # around the words of a slot
SPOKEN = "%&@#°"  # punctuation in Unicode, but spoken as words
DAMAGE = {  # of a text that another program has read or written wrongly
    "text with U+FFFD, the sign of a wrong encoding": re.compile("\ufffd"),
    "text in UTF-8 that was read as Latin-1, such as Ã© for é": re.compile(
        "[ÂÃÐÑØÙ][\x80-\x9f¡-ª¬-º¼-¿]|â€|Ã[\u0152-\u2122]"
    ),
    "text with entities of HTML, such as &amp;": re.compile(
        r"&(amp|lt|gt|quot|apos|nbsp|#\d+|#x[\da-f]+);", re.IGNORECASE
    ),
}


@dataclass(frozen=True)
class Limits:
    """Allowed lengths of an utterance in seconds, and the largest share of bad utterances in a set, in percent."""

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
    """Why `text` cannot be the transcript of `seconds` of audio, or None. known: `alphabet` of the training set."""
    if damage := next((name for name, pattern in DAMAGE.items() if pattern.search(text)), None):
        return damage
    spoken = [char for word in text.split() if not MARK.fullmatch(word) for char in word if _is_spoken(char)]
    if not spoken:
        return "text without a letter or digit"
    if len(spoken) > LETTERS_PER_SECOND * seconds + SLACK:
        return "text too long for its audio"
    if known and all(map(str.isalpha, spoken)) and not alphabet([text]) & known:
        return "text without a letter of the training texts"
    return None


def alphabet(texts: Iterable[str]) -> frozenset[str]:
    """The letters of texts, in lower case, without diacritics."""
    letters = (unicodedata.normalize("NFD", char.lower())[0] for char in set().union(*texts) if char.isalpha())
    return frozenset(letters)


def _is_spoken(char: str) -> bool:
    return unicodedata.category(char) in ("Sc", "Sm") or unicodedata.category(char)[0] in "LN" or char in SPOKEN
