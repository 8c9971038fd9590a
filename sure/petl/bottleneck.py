"""Bottleneck adapter: y = x + W_up act(W_down x + b_d) + b_u (arXiv 1902.00751; SURE, arXiv 2303.03267)."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod

Activation = Literal["relu", "gelu", "tanh", "silu"]
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "silu": nn.SiLU}


class Bottleneck(nn.Module):
    """output + scale * up(act(down(x))), with x = output; `parallel`: x = input (arXiv 2110.04366, section 3.3)."""

    def __init__(
        self, maps: Sequence[nn.Module], activation: str, dropout: float, scale: float = 1.0, parallel: bool = False
    ):
        """maps: down, (batch, time, width) to (batch, time, hidden), and up."""
        super().__init__()
        self.down, self.up = maps
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        self.scale = scale
        self.parallel = parallel

    def change(self, hidden: Tensor) -> Tensor:
        """(batch, time, width) -> the same shape"""
        return self.up(self.dropout(self.activation(self.down(hidden))))

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """output (batch, time, width) -> the same shape"""
        return output + self.scale * self.change(input if self.parallel else output)


def linear_maps(width: int, hidden: int) -> tuple[nn.Linear, nn.Linear]:
    """W_down and W_up with their biases. W_up starts at zero, so the start is the identity."""
    down, up = nn.Linear(width, hidden), nn.Linear(hidden, width)
    nn.init.normal_(down.weight, std=0.02)
    for zero in (down.bias, up.weight, up.bias):
        nn.init.zeros_(zero)
    return down, up


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
        down, up = linear_maps(site.width_out, config.width or site.width_out // 2)
        if config.variant == "paper":
            nn.init.normal_(up.weight, std=0.02)
        return Bottleneck((down, up), config.activation, config.dropout, config.scale, site.kind == "sublayer")
