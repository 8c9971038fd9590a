"""AdapterBias: y = x + v (w . x + c), one shared shift v with a learned size per frame (arXiv 2205.00305)."""

import torch
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod


class Shift(nn.Module):
    """y = x + v (w . x + c). v starts at zero, so the start is the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.size = nn.Linear(width, 1)
        self.direction = nn.Parameter(torch.zeros(width))

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """output (batch, time, width) -> the same shape"""
        return output + self.size(output) * self.direction


class Method(PetlMethod):
    kinds = ("residual", "sublayer", "convolution")

    class Config(PetlConfig):
        sites: str = "layer.*.after_ffn"

    def build(self, site: Site) -> nn.Module:
        return Shift(site.width_out)
