"""The postnet: convolutions that refine the mel spectrogram (Tacotron 2, arXiv 1712.05884, section 2.2)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from sure.backbones.layers import linear, regularise
from sure.frames import Frames


class Postnet(nn.Module):
    """Convolutions with tanh between them and a residual sum. Norms are over channels, not over the batch."""

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
