"""UniPELT: bottleneck, prefix and LoRA, each behind a learned gate that every frame opens (arXiv 2110.07577)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod
from sure.petl.bottleneck import Activation, Bottleneck
from sure.petl.lora import LowRank
from sure.petl.prefix import Prefix


class Gate(nn.Linear):
    """sigmoid(w . x + c) of each frame; the published gate is the mean of these over the utterance."""

    def __init__(self, width: int):
        super().__init__(width, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """hidden (batch, time, width) -> (batch, time, 1)"""
        return torch.sigmoid(super().forward(hidden))


class Gated(nn.Module):
    """What `inner` adds to the host's output, times the gate of what the host received."""

    def __init__(self, inner: nn.Module, width: int):
        super().__init__()
        self.inner = inner
        self.gate = Gate(width)

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """input (batch, time, width_in), output (batch, time, width_out) -> as output"""
        return output + self.gate(input) * (self.inner(input, output, frames) - output)


class GatedPrefix(nn.Module):
    """What the prefix adds to the context, times the gate of the queries."""

    def __init__(self, inner: Prefix, width: int):
        super().__init__()
        self.inner = inner
        self.gate = Gate(width)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, attend: Callable[..., Tensor]) -> Tensor:
        """queries, keys, values (batch, time, width) -> context (batch, time, width)"""
        context = attend(queries, keys, values)
        return context + self.gate(queries) * (self.inner(queries, keys, values, attend) - context)


class Method(PetlMethod):
    kinds = ("residual", "attention", "linear")

    class Config(PetlConfig):
        sites: str = "layer.*.after_ffn layer.*.attn layer.*.attn.[qv]"
        width: int = Field(48, gt=0)  # hidden units of the bottleneck
        length: int = Field(10, gt=0)  # of the prefix
        rank: int = Field(8, gt=0)  # of LoRA
        alpha: float = Field(16.0, gt=0)
        activation: Activation = "relu"
        dropout: float = Field(0.0, ge=0, lt=1)  # in all three

    def build(self, site: Site) -> nn.Module:
        config = self.config
        if site.kind == "attention":
            return GatedPrefix(Prefix(config.length, site.width_out, config.dropout, False, None), site.width_in)
        if site.kind == "linear":
            scale = config.alpha / config.rank
            return Gated(LowRank(site.width_in, site.width_out, config.rank, scale, config.dropout), site.width_in)
        adapter = Bottleneck(site.width_out, config.width, config.activation, config.dropout, 1.0)
        return Gated(adapter, site.width_in)
