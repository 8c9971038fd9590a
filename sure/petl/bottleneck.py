"""Bottleneck adapter: y = x + W_up act(W_down x + b_d) + b_u (arXiv 1902.00751; SURE, arXiv 2303.03267)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod

Activation = Literal["relu", "gelu", "tanh", "silu"]
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "silu": nn.SiLU}


class Bottleneck(nn.Module):
    """Down, activation, up, added to the host's output; the up map starts at zero, so the start is the identity.

    parallel: it reads what the host received, not what it made (arXiv 2110.04366, section 3.3).
    """

    def __init__(self, width: int, hidden: int, activation: str, dropout: float, scale: float, parallel: bool = False):
        super().__init__()
        self.down = nn.Linear(width, hidden)
        self.up = nn.Linear(hidden, width)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        self.scale = scale
        self.parallel = parallel
        nn.init.normal_(self.down.weight, std=0.02)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """output (batch, time, width) -> the same shape"""
        hidden = self.activation(self.down(input if self.parallel else output))
        return output + self.scale * self.up(self.dropout(hidden))


class Method(PetlMethod):
    """Behind a sublayer or a convolution it is in line with it, at `layer.N.ffn` beside it."""

    kinds = ("residual", "sublayer", "convolution")

    class Config(PetlConfig):
        sites: str = "layer.*.after_ffn"
        width: int | None = Field(None, gt=0)  # hidden units; None: half the site's width, as in SURE
        activation: Activation = "relu"
        dropout: float = Field(0.0, ge=0, lt=1)
        scale: float = 1.0
        variant: Literal["identity", "paper"] = "identity"  # paper: W_up starts at N(0, .02) too, not at zero

    def build(self, site: Site) -> nn.Module:
        config = self.config
        width = config.width or site.width_out // 2
        parallel = site.kind == "sublayer"
        module = Bottleneck(site.width_out, width, config.activation, config.dropout, config.scale, parallel)
        if config.variant == "paper":
            nn.init.normal_(module.up.weight, std=0.02)
        return module
