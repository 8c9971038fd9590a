"""Parts of FastSpeech 2 (arXiv 2006.04558): variance adaptor, length regulator and postnet."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from sure.backbones.layers import linear, regularise
from sure.frames import Frames


class Predictor(nn.Module):
    """Two convolutions with ReLU, norm and dropout, and a linear map to one number for each phone (section 2.3)."""

    def __init__(self, dim: int, width: int, kernel: int, dropout: float):
        super().__init__()
        self.convolutions = nn.ModuleList([linear(dim, width, kernel), linear(width, width, kernel)])
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.out = nn.Linear(width, 1)
        self.dropout = dropout

    def forward(self, hidden: Tensor, frames: Frames) -> Tensor:
        """hidden (batch, phones, dim) -> (batch, phones)"""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = regularise(norm(torch.relu(convolution(hidden, frames))), self.dropout, convolution)
        return self.out(hidden).squeeze(2)


class Variance(nn.Module):
    """Pitch or energy: its predictor, and its embedding for the decoder's input."""

    def __init__(self, dim: int, width: int, kernel: int, dropout: float):
        super().__init__()
        self.predictor = Predictor(dim, width, kernel, dropout)
        self.embedding = linear(1, dim, kernel)

    def embed(self, values: Tensor, frames: Frames) -> Tensor:
        """values (batch, phones), normalised -> (batch, phones, dim)"""
        return self.embedding(values[:, :, None], frames)


class Postnet(nn.Module):
    """Convolutions that refine the mel spectrogram (Tacotron 2, arXiv 1712.05884, section 2.2), and a residual sum.

    Norms are over channels, not over the batch.
    """

    def __init__(self, mels: int, width: int, layers: int, kernel: int, dropout: float):
        super().__init__()
        widths = [mels, *[width] * (layers - 1), mels]
        self.convolutions = nn.ModuleList(linear(here, there, kernel) for here, there in pairwise(widths))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers - 1))
        self.dropout = dropout

    def forward(self, mel: Tensor, frames: Frames) -> Tensor:
        """mel (batch, time, mels) -> the same shape"""
        hidden = mel
        *inner, last = self.convolutions
        for convolution, norm in zip(inner, self.norms, strict=True):
            hidden = regularise(torch.tanh(norm(convolution(hidden, frames))), self.dropout, convolution)
        return mel + last(hidden, frames)


def spread(durations: Tensor) -> Tensor:
    """durations (batch, phones) in frames -> index of each frame's phone (batch, frames), at least one frame.

    In the padding of a row, the index is the last one.
    """
    ends = durations.cumsum(1)
    frames = torch.arange(max(1, int(ends[:, -1].max())), device=durations.device)
    numbers = torch.searchsorted(ends, frames.expand(len(ends), -1).contiguous(), right=True)
    return numbers.clamp(max=durations.shape[1] - 1)


def over_frames(hidden: Tensor, path: Tensor) -> Tensor:
    """hidden (batch, phones, dim), path (batch, frames) from `spread` -> (batch, frames, dim)"""
    return hidden.gather(1, path[:, :, None].expand(-1, -1, hidden.shape[2]))


def phone_means(values: Tensor, durations: Tensor) -> Tensor:
    """values (batch, frames) -> mean over the frames of each phone (batch, phones); 0 for a phone without frames."""
    sums = nn.functional.pad(values.double().cumsum(1), (1, 0))
    ends = durations.cumsum(1).to(values.device, non_blocking=True)
    durations = durations.to(values.device, non_blocking=True)
    totals = sums.gather(1, ends) - sums.gather(1, ends - durations)
    return (totals / durations.clamp(min=1)).to(values.dtype)
