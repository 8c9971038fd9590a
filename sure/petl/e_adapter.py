"""E-adapter: y = x + LN(W_up act(W_down x)) after the FFN (Otake et al., ICASSP 2023, arXiv 2212.02780)."""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.petl import bottleneck


class NormedBottleneck(bottleneck.Bottleneck):
    """A bottleneck with layer norm. The norm's weight starts at zero, so the start is the identity; `paper`: at one."""

    def __init__(self, width: int, hidden: int, activation: str, dropout: float, scale: float, paper: bool):
        super().__init__((nn.Linear(width, hidden), nn.Linear(hidden, width)), activation, dropout, scale)
        self.norm = nn.LayerNorm(width)
        if not paper:
            nn.init.zeros_(self.norm.weight)

    def change(self, hidden: Tensor) -> Tensor:
        """(batch, time, width) -> the same shape"""
        return self.norm(super().change(hidden))


class Method(bottleneck.Method):
    kinds = ("residual", "convolution")

    class Config(bottleneck.Method.Config):
        width: int | None = Field(256, gt=0, description="hidden units")
        activation: bottleneck.Activation = Field("gelu", description="activation function")
        variant: Literal["identity", "paper"] = Field(
            "identity", description="initial weight of the norm: identity has zeros, paper ones"
        )

    def build(self, site: Site) -> nn.Module:
        config = self.config
        width = config.width or site.width_out // 2
        paper = config.variant == "paper"
        return NormedBottleneck(site.width_out, width, config.activation, config.dropout, config.scale, paper)
