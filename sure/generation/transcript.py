"""The transcript of a recording: segments with their times."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from torch import Tensor

from sure import SAMPLE_RATE
from sure.generation.hypothesis import Hypothesis
from sure.text.recognizer_tokens import RecognizerTokens
from sure.text.timed_word import TimedWord


@dataclass
class Segment:
    """A part of a recording with its text.

    start, end: seconds. tokens, hypothesis: by a decoder; the hypothesis is that of a window, which may have several
    segments. words: if they were asked for.
    alternatives: the other texts of a beam search with their scores, best first, where a window is one segment.
    """

    start: float
    end: float
    text: str
    tokens: list[int] = field(default_factory=list)
    hypothesis: Hypothesis | None = None
    words: list[TimedWord] = field(default_factory=list)
    alternatives: list[tuple[str, float]] = field(default_factory=list)


@dataclass
class Transcript:
    """language: as given or found; None for a recogniser of one language."""

    language: str | None
    segments: list[Segment] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(one.text for one in self.segments if one.text)

    def __str__(self) -> str:
        return self.text


def whole_recordings(
    waves: Sequence[Tensor], texts: Sequence[str], words: Sequence[list[TimedWord]] | None, language: str
) -> list[Transcript]:
    """Transcripts of one segment each, for waves (samples,) of 16 kHz with their texts."""
    words = words or [[] for _ in waves]
    return [
        Transcript(language, [Segment(0.0, len(wave) / SAMPLE_RATE, text, words=timed)] if text else [])
        for wave, text, timed in zip(waves, texts, words, strict=True)
    ]


def split_at_timestamps(
    ids: Sequence[int], seconds: float, tokens: RecognizerTokens
) -> tuple[list[tuple[float, float, list[int]]], float]:
    """The segments of a window, (start, end, ids without timestamps), and the time up to which they are complete.

    ids: generated with timestamps. seconds: duration of the window. Two timestamps in succession end a segment and
    begin the next one. A last segment without its end is left to the next window, unless it is the only one.
    """
    times = [tokens.is_time(one) for one in ids]
    cuts = [place for place in range(1, len(ids)) if times[place - 1] and times[place]]
    ends_with_time = len(ids) > 1 and times[-1] and not times[-2]
    complete = seconds
    if not cuts:
        cuts = [len(ids)]
    elif ends_with_time:
        cuts.append(len(ids))
    else:
        complete = tokens.seconds(ids[cuts[-1] - 1])
    segments = []
    for start, end in pairwise([0, *cuts]):
        piece = ids[start:end]
        stamps = [tokens.seconds(one) for one in piece if tokens.is_time(one)]
        first = stamps[0] if piece and tokens.is_time(piece[0]) else 0.0
        last = stamps[-1] if stamps and stamps[-1] > first else seconds
        segments.append((first, min(last, seconds), [one for one in piece if not tokens.is_time(one)]))
    return segments, complete
