"""Weighted sum of all layers' outputs for the head: h = sum_l softmax(w)_l h_l (SUPERB, arXiv 2105.01051)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl.base import PetlMethod


class WeightedSum(nn.Module):
    """L + 1 weights, for the input of the first layer and the outputs of the L layers; equal at the start."""

    def __init__(self, taps: int):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(taps))

    def forward(self, taps: list[Tensor], frames: Frames) -> Tensor:
        """taps: list of (batch, time, width) -> (batch, time, width)"""
        shares = torch.softmax(self.weights, dim=0)
        return sum(share * tap for share, tap in zip(shares, taps, strict=True))


class Method(PetlMethod):
    def readout(self, taps: Sequence[Site], width: int) -> nn.Module:
        return WeightedSum(len(taps) + 1)
