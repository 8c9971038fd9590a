"""Compacter: a bottleneck whose weights are sums of Kronecker products with shared factors (arXiv 2106.04647)."""

from collections.abc import Callable, Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.errors import SureError
from sure.petl.base import PetlConfig, PetlMethod
from sure.petl.bottleneck import Activation, Bottleneck


class Rules(nn.Module):
    """The factors A_i, (n, n, n), shared by the maps of all layers."""

    def __init__(self, count: int):
        super().__init__()
        self.factors = nn.Parameter(torch.randn(count, count, count) / count)


class KroneckerLinear(nn.Module):
    """A linear map with weight sum_i A_i (x) s_i t_i^T, and a bias. rules() returns A."""

    def __init__(self, width_in: int, width_out: int, rules: Callable[[], Tensor], zero: bool):
        super().__init__()
        count = len(rules())
        for width in (width_in, width_out):
            if width % count:
                raise SureError(f"petl (compacter): factors={count} does not divide the width {width}")
        self.rules = rules  # a function, so that the shared parameters are not registered here as well
        self.s = nn.Parameter(torch.randn(count, width_in // count) * (count / width_in) ** 0.5)
        self.t = nn.Parameter((torch.zeros if zero else torch.randn)(count, width_out // count))
        self.bias = nn.Parameter(torch.zeros(width_out))

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, time, width_in) -> (batch, time, width_out)"""
        weight = torch.einsum("iab,ic,id->acbd", self.rules(), self.s, self.t)
        return hidden @ weight.flatten(2).flatten(0, 1).to(hidden.dtype) + self.bias.to(hidden.dtype)


class Method(PetlMethod):
    """t of the up maps starts at zero, so the start is the identity."""

    kinds = ("residual", "sublayer", "convolution")

    class Config(PetlConfig):
        sites: str = "layer.*.after_attn layer.*.after_ffn"
        width: int = Field(48, gt=0, description="hidden units")
        factors: int = Field(4, gt=0, description="n: number of Kronecker products in a sum, and the size of each A_i")
        activation: Activation = Field("gelu", description="activation function")
        dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability of the hidden units")

    def prepare(self, sites: Sequence[Site]) -> None:
        self.shared = Rules(self.config.factors)

    def build(self, site: Site) -> nn.Module:
        config, shared = self.config, self.shared
        down = KroneckerLinear(site.width_out, config.width, lambda: shared.factors, zero=False)
        up = KroneckerLinear(config.width, site.width_out, lambda: shared.factors, zero=True)
        return Bottleneck((down, up), config.activation, config.dropout)
