"""Times of the words of a text in a CTC output: the most probable alignment (`forced_align` of torchaudio)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torchaudio.functional
from torch import Tensor

from sure.errors import SureError
from sure.text.tokenizer import Piece, Tokenizer


@dataclass(frozen=True)
class Span:
    """A word and its frames, from `start` up to but not including `end`.

    confidence: mean probability of the word's tokens over their frames, in [0, 1].
    """

    word: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class TimedWord:
    """A word with its start and duration in seconds, and its confidence in [0, 1]."""

    word: str
    start: float
    duration: float
    confidence: float


def align(logs: Tensor, tokens: Sequence[int], pieces: Sequence[Piece]) -> list[Span]:
    """The words that the tokens spell, in order. logs: (frames, tokens), log probabilities; pieces: of the tokenizer.

    Raises SureError if the tokens need more frames than there are.
    """
    repeats = sum(left == right for left, right in pairwise(tokens))
    if len(tokens) + repeats > len(logs):
        raise SureError(f"{len(tokens)} tokens need {len(tokens) + repeats} frames, there are {len(logs)}")
    if not tokens:
        return []
    targets = torch.tensor([list(tokens)], dtype=torch.int32)
    path, scores = torchaudio.functional.forced_align(logs[None].float().cpu(), targets, blank=Tokenizer.blank)
    spans = torchaudio.functional.merge_tokens(path[0], scores[0].exp(), blank=Tokenizer.blank)
    words: list[list[torchaudio.functional.TokenSpan]] = []
    letters: list[str] = []
    ended = True
    for span in spans:
        piece = pieces[span.token]
        ended |= piece.begins
        if piece.letters:
            if ended:
                words.append([])
                letters.append("")
            words[-1].append(span)
            letters[-1] += piece.letters
            ended = piece.ends
    return [_span(word, parts) for word, parts in zip(letters, words, strict=True)]


def timed(spans: Sequence[Span], clock: tuple[float, float]) -> list[TimedWord]:
    """Frames to seconds. clock: from `SpeechEncoder.frame_clock`."""
    step, first = clock
    return [
        TimedWord(span.word, first + step * span.start, step * (span.end - span.start), span.confidence)
        for span in spans
    ]


def format_ctm(id: str, words: Sequence[TimedWord]) -> str:
    """Lines `id 1 start duration word confidence`, the CTM format of NIST and Kaldi."""
    lines = (f"{id} 1 {one.start:.3f} {one.duration:.3f} {one.word} {one.confidence:.3f}\n" for one in words)
    return "".join(lines)


def _span(word: str, parts: Sequence[torchaudio.functional.TokenSpan]) -> Span:
    frames = sum(len(part) for part in parts)
    confidence = sum(part.score * len(part) for part in parts) / frames
    return Span(word, parts[0].start, parts[-1].end, confidence)
