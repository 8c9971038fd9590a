"""Times of words from the cross-attention of a decoder, by dynamic time warping, as in Whisper's published code."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sure.backbones.encoder_decoder import EncoderDecoder
from sure.frames import Frames
from sure.text.recognizer_tokens import RecognizerTokens
from sure.text.timed_word import TimedWord

SMOOTHED = 7  # frames of the median filter


@torch.no_grad()
def word_times(
    backbone: EncoderDecoder,
    memory: Tensor,
    frames: Frames,
    prompts: Tensor,
    texts: Sequence[Sequence[int]],
    seconds: Sequence[float],
    tokens: RecognizerTokens,
) -> list[list[TimedWord]]:
    """The words of each utterance's text, with times from the start of the utterance.

    memory (utterances, time, dim), frames: output of the encoder. prompts: (utterances, n), without timestamps. texts:
    tokens without timestamps. seconds: durations. One pass of the decoder over the whole texts; a word is a sequence
    of letters between spaces, so that languages without spaces have one word for each text.
    """
    start, device = prompts.shape[1], memory.device
    read = [
        torch.cat([prompt.cpu(), torch.tensor([*text, tokens.end])])
        for prompt, text in zip(prompts, texts, strict=True)
    ]
    read = pad_sequence(read, batch_first=True).to(device)
    with recorded_attention(backbone) as recorded:
        logits = backbone.logits(backbone.decode(read, memory, frames)[:, start - 1 : -1]).float()
    logs = logits.log_softmax(-1).gather(2, read[:, start:, None])[..., 0]
    weights = recorded.weights(tokens.alignment_heads, frames)
    step = backbone.encoder.frame_clock()[0]
    found = []
    for row, text in enumerate(texts):
        heard = min(int(frames.lengths[row]), max(1, math.ceil(seconds[row] / step)))
        matrix = alignment_matrix(weights[row, :, : start + len(text), :heard])[start - 1 :]
        starts = [step * frame for frame in token_starts(matrix.cpu().numpy())]
        found.append(_words(text, starts, logs[row].exp().tolist(), tokens))
    return found


def alignment_matrix(weights: Tensor) -> Tensor:
    """weights (heads, tokens, frames) -> (tokens, frames): normalised over tokens, smoothed; mean of heads."""
    weights = weights.float()
    weights = weights / weights.sum(2, keepdim=True)
    deviation, mean = torch.std_mean(weights, 1, correction=0, keepdim=True)
    weights = (weights - mean) / deviation.clamp(min=1e-12)
    margin = SMOOTHED // 2
    if weights.shape[2] > margin:
        padded = torch.nn.functional.pad(weights, (margin, margin), mode="reflect")
        weights = padded.unfold(2, SMOOTHED, 1).median(-1).values
    return weights.mean(0)


def token_starts(matrix: np.ndarray) -> list[int]:
    """The first frame of each token on the best path. matrix (tokens, frames): how well they fit; both in order."""
    path = best_path(matrix)
    starts: dict[int, int] = {}
    for token, frame in path:
        starts.setdefault(token, frame)
    return [starts[token] for token in range(len(matrix))]


def best_path(matrix: np.ndarray) -> list[tuple[int, int]]:
    """The path from the first to the last (token, frame) with the largest sum; a step adds 1 to one of them or both.

    Computed by diagonals of equal token + frame, each at once.
    """
    tokens, frames = matrix.shape
    sums = np.full((tokens + frames + 1, tokens + 1), -np.inf)  # by diagonal and token, both from 1
    sums[0, 0] = 0.0
    steps = np.zeros((tokens + frames + 1, tokens + 1), dtype=np.int8)  # 0: both, 1: the token, 2: the frame
    for diagonal in range(2, tokens + frames + 1):
        first, last = max(1, diagonal - frames), min(tokens, diagonal - 1)
        here = np.arange(first, last + 1)
        before = np.stack([sums[diagonal - 2, here - 1], sums[diagonal - 1, here - 1], sums[diagonal - 1, here]])
        steps[diagonal, here] = before.argmax(0)
        sums[diagonal, here] = matrix[here - 1, diagonal - here - 1] + before.max(0)
    token, frame, path = tokens, frames, []
    while token > 0 and frame > 0:
        path.append((token - 1, frame - 1))
        step = int(steps[token + frame, token])
        token, frame = token - (step != 2), frame - (step != 1)
    return path[::-1]


class RecordedAttention:
    """Queries and keys of the cross-attention of each decoder layer, (batch, time, dim)."""

    def __init__(self, heads: Sequence[int]):
        self.heads = heads  # of each layer
        self.pairs: list[tuple[Tensor, Tensor]] = []

    def weights(self, chosen: Sequence[tuple[int, int]], frames: Frames) -> Tensor:
        """(batch, heads, tokens, frames) of the chosen (layer, head), or of all in the upper half of the layers."""
        layers = range(len(self.pairs) // 2, len(self.pairs))
        chosen = chosen or [(layer, head) for layer in layers for head in range(self.heads[layer])]
        return torch.stack([self._of_head(layer, head, frames) for layer, head in chosen], 1)

    def _of_head(self, layer: int, head: int, frames: Frames) -> Tensor:
        queries, keys = (each.float().unflatten(2, (self.heads[layer], -1))[:, :, head] for each in self.pairs[layer])
        scores = queries @ keys.transpose(1, 2) / math.sqrt(queries.shape[2])
        if not frames.full:
            scores = scores.masked_fill(~frames.mask(scores.device)[:, None], float("-inf"))
        return scores.softmax(-1)


@contextmanager
def recorded_attention(backbone: EncoderDecoder) -> Iterator[RecordedAttention]:
    """Records the cross-attention of one pass, before the keys that a prefix adds."""
    layers = backbone.decoder.layers
    recorded = RecordedAttention([layer.cross.heads for layer in layers])
    hooks = [
        layer.cross.slot.register_forward_pre_hook(lambda slot, inputs: recorded.pairs.append(inputs[:2]))
        for layer in layers
    ]
    try:
        yield recorded
    finally:
        for hook in hooks:
            hook.remove()


def _words(
    text: Sequence[int], starts: Sequence[float], probabilities: Sequence[float], tokens: RecognizerTokens
) -> list[TimedWord]:
    """The words of a text with their times. A word lasts until the next word, or the end of the text, begins.

    text: ids. starts: start of each token in seconds, then the end of the text. probabilities: of the tokens.
    """
    spelled = tokens.decode(text).split()
    begins: list[int] = []  # the first token of each word
    for place in range(len(text)):
        count = min(len(tokens.decode(text[: place + 1]).split()), len(spelled))  # part of a letter counts as a letter
        begins += [place] * (count - len(begins))
    words = []
    for word, (start, end) in zip(spelled, pairwise([*begins, len(text)]), strict=True):
        confidence = sum(probabilities[start:end]) / (end - start) if end > start else probabilities[start]
        words.append(TimedWord(word, starts[start], starts[end] - starts[start], confidence))
    return words
