"""Times of the words of a text in a CTC output: the most probable alignment (`forced_align` of torchaudio)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torchaudio.functional import TokenSpan, forced_align, merge_tokens

from sure.errors import SureError
from sure.text.timed_word import TimedWord
from sure.text.tokenizer import Piece, Tokenizer


def align(logs: Tensor, tokens: Sequence[int], pieces: Sequence[Piece], clock: tuple[float, float]) -> list[TimedWord]:
    """The words that the tokens spell, in order.

    logs: (frames, tokens), log probabilities. pieces: of the tokenizer. clock: from `SpeechEncoder.frame_clock`.
    Raises SureError if the tokens need more frames than there are.
    """
    repeats = sum(left == right for left, right in pairwise(tokens))
    if len(tokens) + repeats > len(logs):
        raise SureError(f"{len(tokens)} tokens need {len(tokens) + repeats} frames, there are {len(logs)}")
    if not tokens:
        return []
    targets = torch.tensor([list(tokens)], dtype=torch.int32)
    path, scores = forced_align(logs[None].float().cpu(), targets, blank=Tokenizer.blank)
    words: list[list[TokenSpan]] = []
    ended = True
    for span in merge_tokens(path[0], scores[0].exp(), blank=Tokenizer.blank):
        piece = pieces[span.token]
        ended |= piece.begins
        if piece.letters:
            if ended:
                words.append([])
            words[-1].append(span)
            ended = piece.ends
    return [_timed(spans, pieces, clock) for spans in words]


def _timed(spans: Sequence[TokenSpan], pieces: Sequence[Piece], clock: tuple[float, float]) -> TimedWord:
    """The word of these tokens."""
    step, first = clock
    start, end = spans[0].start, spans[-1].end  # in frames
    confidence = sum(span.score * len(span) for span in spans) / sum(map(len, spans))
    word = "".join(pieces[span.token].letters for span in spans)
    return TimedWord(word, first + step * start, step * (end - start), confidence)


def format_ctm(id: str, words: Sequence[TimedWord]) -> str:
    """Lines `id 1 start duration word confidence`, the CTM format of NIST and Kaldi."""
    lines = (f"{id} 1 {one.start:.3f} {one.duration:.3f} {one.word} {one.confidence:.3f}\n" for one in words)
    return "".join(lines)
