"""Position encodings: rotary angles (Moonshine), sinusoids (Whisper), a bias for each distance (WavLM)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Rotary(NamedTuple):
    """Cosines and sines (time, pairs) of the angle by which each pair of channels is rotated."""

    cosine: Tensor
    sine: Tensor


def rotary_angles(time: int, width: int, device: torch.device, base: float = 10000.0) -> Rotary:
    """Angles t * base^(-2i / width) for time t and pair i (RoFormer, arXiv 2104.09864, equation 15)."""
    frequencies = base ** -(torch.arange(0, width, 2, device=device) / width)
    angles = torch.arange(time, device=device)[:, None] * frequencies
    return Rotary(angles.cos(), angles.sin())


def rotate(vectors: Tensor, rotary: Rotary, start: int = 0) -> Tensor:
    """Rotate pairs of neighbouring channels; channels without an angle stay.

    vectors: (batch, heads, start + time, width); the vector at `start` has position 0, those before it have none.
    """
    if start == vectors.shape[2]:
        return vectors
    turned = 2 * rotary.cosine.shape[1]
    pairs = vectors[:, :, start:, :turned].unflatten(3, (-1, 2))
    even, odd = pairs[..., 0], pairs[..., 1]
    cosine, sine = rotary.cosine.to(vectors.dtype), rotary.sine.to(vectors.dtype)
    pairs = torch.stack((even * cosine - odd * sine, odd * cosine + even * sine), -1).flatten(3)
    rest = torch.cat((pairs, vectors[:, :, start:, turned:]), 3)
    return torch.cat((vectors[:, :, :start], rest), 2) if start else rest


def sinusoids(time: int, dim: int, base: float = 10000.0) -> Tensor:
    """(time, dim): sines, then cosines, of t * base^(-i / (dim / 2 - 1)) for time t and pair i."""
    frequencies = base ** -(torch.arange(dim // 2) / (dim // 2 - 1))
    angles = torch.arange(time)[:, None] * frequencies
    return torch.cat((angles.sin(), angles.cos()), 1)


class Sinusoids(nn.Module):
    """Adds a fixed vector to each frame. The table is a parameter, as in the original, but never trains."""

    def __init__(self, time: int, dim: int):
        super().__init__()
        self.table = nn.Parameter(sinusoids(time, dim), requires_grad=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden (batch, time, dim) -> the same shape"""
        return hidden + self.table[: hidden.shape[1]]


class DistanceBias(nn.Module):
    """A learned bias for each head and bucket of distances: narrow buckets near 0, logarithmic up to `max_distance`."""

    def __init__(self, heads: int, buckets: int, max_distance: int):
        super().__init__()
        self.embedding = nn.Embedding(buckets, heads)
        self.max_distance = max_distance

    def forward(self, time: int) -> Tensor:
        """(heads, time, time): the bias of key j for query i, which depends on j - i only."""
        # on the CPU: rounding at the edge of a bucket must not depend on the device
        distances = torch.arange(1 - time, time)
        buckets = self._bucket(distances).to(self.embedding.weight.device, non_blocking=True)
        values = self.embedding(buckets).t()  # (heads, 2 time - 1)
        if torch.compiler.is_exporting():  # ONNX has no windows of a length that is known only at run time
            places = torch.arange(time, device=values.device)
            return values[:, time - 1 + places - places[:, None]]
        return values.unfold(1, time, 1).flip(1)

    def _bucket(self, distances: Tensor) -> Tensor:
        """Bucket of each distance (WavLM, arXiv 2110.13900, section 3.1)."""
        half = self.embedding.num_embeddings // 2
        exact = half // 2
        size = distances.abs()
        spread = torch.log(size.clamp(min=1).float() / exact) / math.log(self.max_distance / exact) * (half - exact)
        far = (exact + spread).long().clamp(max=half - 1)
        return (distances > 0).long() * half + torch.where(size < exact, size, far)


class BiasGate(nn.Module):
    """A factor for the position bias of each query, computed from its content (arXiv 2110.13900, section 3.1)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.linear = nn.Linear(dim // heads, 8)
        self.scale = nn.Parameter(torch.ones(1, heads, 1, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden (batch, time, dim) -> (batch, heads, time, 1)"""
        scores = self.linear(hidden.unflatten(2, (self.heads, -1))).unflatten(3, (2, 4)).sum(4)
        update, reset = torch.sigmoid(scores).transpose(1, 2).chunk(2, dim=3)
        return update * (reset * self.scale - 1) + 2
