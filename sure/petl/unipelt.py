"""UniPELT: bottleneck, prefix and LoRA, each scaled by a learned gate per frame (arXiv 2110.07577)."""

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod
from sure.petl.bottleneck import Activation, Bottleneck, linear_maps
from sure.petl.lora import LowRank
from sure.petl.prefix import Prefix


class Gated(nn.Module):
    """output + gate * change, with the change that `inner` makes to the output.

    gate = sigmoid(w . input + c) for each frame; the published gate is their mean over the utterance.
    """

    def __init__(self, inner: nn.Module, width: int):
        super().__init__()
        self.inner = inner
        self.gate = nn.Linear(width, 1)

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """input (batch, time, width_in), output (batch, time, width_out) -> the shape of output"""
        return output + torch.sigmoid(self.gate(input)) * (self.inner(input, output, frames) - output)


class GatedPrefix(Gated):
    """context + gate * change, with the change that the prefix makes to the context; the gate reads the queries."""

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, attend: Callable[..., Tensor]) -> Tensor:
        """queries, keys, values (batch, time, width) -> context (batch, time, width)"""
        context = attend(queries, keys, values)
        return context + torch.sigmoid(self.gate(queries)) * (self.inner(queries, keys, values, attend) - context)


class Method(PetlMethod):
    kinds = ("residual", "attention", "linear")

    class Config(PetlConfig):
        sites: str = "layer.*.after_ffn layer.*.attn layer.*.attn.[qv]"
        width: int = Field(48, gt=0, description="hidden units of the bottleneck")
        length: int = Field(10, gt=0, description="number of prefix vectors per layer")
        rank: int = Field(8, gt=0, description="rank of LoRA")
        alpha: float = Field(16.0, gt=0, description="LoRA is scaled by alpha / rank")
        activation: Activation = Field("relu", description="activation function of the bottleneck")
        dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability in all three")

    def build(self, site: Site) -> nn.Module:
        config = self.config
        if site.kind == "attention":
            return GatedPrefix(Prefix(config.length, site.width_out, config.dropout), site.width_in)
        if site.kind == "linear":
            scale = config.alpha / config.rank
            return Gated(LowRank(site.width_in, site.width_out, config.rank, scale, config.dropout), site.width_in)
        maps = linear_maps(site.width_out, config.width)
        return Gated(Bottleneck(maps, config.activation, config.dropout), site.width_in)
