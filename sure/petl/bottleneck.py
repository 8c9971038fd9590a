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
    """output + scale * (W_up act(W_down x + b_d) + b_u). W_up starts at zero, so the start is the identity.

    parallel: x is the host's input instead of its output (arXiv 2110.04366, section 3.3).
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
    """Sequential after a sublayer or convolution; parallel to the FFN at `layer.N.ffn`."""

    kinds = ("residual", "sublayer", "convolution")

    class Config(PetlConfig):
        sites: str = "layer.*.after_ffn"
        width: int | None = Field(
            None, gt=0, description="hidden units; the default is half the site's width, as in SURE"
        )
        activation: Activation = Field("relu", description="activation function")
        dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability of the hidden units")
        scale: float = Field(1.0, description="factor of the bottleneck's output")
        variant: Literal["identity", "paper"] = Field(
            "identity", description="initial W_up: identity has zeros, paper draws from N(0, 0.02)"
        )

    def build(self, site: Site) -> nn.Module:
        config = self.config
        width = config.width or site.width_out // 2
        parallel = site.kind == "sublayer"
        module = Bottleneck(site.width_out, width, config.activation, config.dropout, config.scale, parallel)
        if config.variant == "paper":
            nn.init.normal_(module.up.weight, std=0.02)
        return module
