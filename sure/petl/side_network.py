"""Ladder side tuning: a small network that reads the outputs of the frozen layers (arXiv 2206.06522)."""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.backbones.layers import Attention, Layer
from sure.errors import SureError
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod


class Rung(nn.Module):
    """A small layer; its input is a gated sum of the side network's state and a frozen layer's output."""

    def __init__(self, width_in: int, width: int, heads: int, ffn: int):
        super().__init__()
        self.down = nn.Linear(width_in, width)
        self.gate = nn.Parameter(torch.zeros(()))
        self.layer = Layer(Attention(width, heads), width, ffn * width, norm_first=True)

    def forward(self, state: Tensor, tap: Tensor, frames: Frames) -> Tensor:
        """state (batch, time, width), tap (batch, time, width_in) -> the shape of state"""
        share = torch.sigmoid(self.gate)
        return self.layer(share * self.down(tap) + (1 - share) * state, frames)


class SideNetwork(nn.Module):
    """Output: the last layer + W_up state, with W_up zero at the start. No gradient enters the backbone."""

    def __init__(self, layers: Sequence[int], width_in: int, width: int, heads: int, ffn: int):
        super().__init__()
        self.layers = list(layers)
        self.down = nn.Linear(width_in, width)
        self.rungs = nn.ModuleList(Rung(width_in, width, heads, ffn) for _ in self.layers)
        self.up = nn.Linear(width, width_in)
        for zero in (self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, taps: list[Tensor], frames: Frames) -> Tensor:
        """taps: list of (batch, time, width_in), from the input of the first layer on -> (batch, time, width_in)"""
        taps = [tap.detach() for tap in taps]
        state = self.down(taps[0])
        for layer, rung in zip(self.layers, self.rungs, strict=True):
            state = rung(state, taps[layer + 1], frames)
        return taps[-1] + self.up(state)


class Method(PetlMethod):
    kinds = ("tap",)
    keeps_last = True

    class Config(PetlConfig):
        sites: str = "layer.*.output"
        reduction: int = Field(8, gt=0, description="its width is the backbone's width divided by this number")
        heads: int = Field(4, gt=0, description="attention heads; they must divide its width")
        ffn: int = Field(4, gt=0, description="hidden units of its FFNs as a multiple of its width")

    def prepare(self, sites: Sequence[Site]) -> None:
        self.layers = [site.layer for site in sites]

    def readout(self, taps: Sequence[Site], width: int) -> nn.Module:
        narrow, heads = width // self.config.reduction, self.config.heads
        if not narrow or narrow % heads:
            raise SureError(
                f"petl (side_network): with reduction={self.config.reduction} its width is {narrow}, which "
                f"heads={heads} does not divide; the width of the backbone is {width}"
            )
        return SideNetwork(self.layers, width, narrow, heads, self.config.ffn)
