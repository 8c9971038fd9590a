"""A word of a transcript with its time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TimedWord:
    """A word with its start and duration in seconds.

    confidence: probability of the word's tokens, in [0, 1]: with CTC their mean over frames, with a decoder their mean.
    """

    word: str
    start: float
    duration: float
    confidence: float
