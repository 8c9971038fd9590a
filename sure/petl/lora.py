"""LoRA: W x + b + (alpha / r) B A x, A random and B zero at the start (Hu et al., arXiv 2106.09685, eq. 3)."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sure.backbones.base import Site
from sure.petl.base import PetlConfig, PetlMethod


class AddLowRank(torch.autograd.Function):
    """output + scale * (input A^T) B^T over frames, with the thin products the way round that is fast.

    Left to autograd, some of the six thin products run several times slower than their transposes do.
    """

    @staticmethod
    def forward(ctx, input: Tensor, output: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        """input (frames, width_in), output (frames, width_out), a (rank, width_in), b (width_out, rank); one dtype"""
        low = a @ input.t()
        ctx.save_for_backward(input, low, a, b)
        ctx.scale = scale
        return torch.addmm(output, low.t(), b.t(), alpha=scale)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        input, low, a, b = ctx.saved_tensors
        low_gradient = ctx.scale * (b.t() @ gradient.t())
        input_gradient = low_gradient.t() @ a if ctx.needs_input_grad[0] else None
        return input_gradient, gradient, low_gradient @ input, ctx.scale * (low @ gradient).t(), None


class LowRank(nn.Module):
    """The low-rank branch beside a linear map."""

    def __init__(self, width_in: int, width_out: int, rank: int, alpha: float, dropout: float):
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, width_in))
        self.b = nn.Parameter(torch.zeros(width_out, rank))
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout)
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, input: Tensor, output: Tensor, mask: Tensor | None) -> Tensor:
        """input (batch, time, width_in), output (batch, time, width_out) -> as output"""
        dtype = output.dtype
        frames = self.dropout(input).to(dtype).flatten(0, -2)
        made = AddLowRank.apply(frames, output.flatten(0, -2), self.a.to(dtype), self.b.to(dtype), self.scale)
        return made.view_as(output)

    def merge(self, host: nn.Linear) -> None:
        host.weight += self.scale * (self.b @ self.a)


class Method(PetlMethod):
    kinds = ("linear",)
    mergeable = True

    class Config(PetlConfig):
        sites: str = "layer.*.attn.* layer.*.ffn.*"  # the six maps of a layer, as in SURE
        rank: int = Field(8, gt=0)
        alpha: float = 16.0  # SURE: 1
        dropout: float = Field(0.0, ge=0, lt=1)

    def build(self, site: Site) -> nn.Module:
        return LowRank(site.width_in, site.width_out, self.config.rank, self.config.alpha, self.config.dropout)
