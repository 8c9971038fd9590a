"""LoRA: W x + b + (alpha / r) B A x, A random and B zero at the start (Hu et al., arXiv 2106.09685, eq. 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from sure.backbones.base import Site
from sure.errors import SureError
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod, Place


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

    def __init__(self, width_in: int, width_out: int, rank: int, scale: float, dropout: float):
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, width_in))
        self.b = nn.Parameter(torch.zeros(width_out, rank))
        self.scale = scale
        self.dropout = nn.Dropout(dropout)
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """input (batch, time, width_in), output (batch, time, width_out) -> as output"""
        dtype = output.dtype
        frames = self.dropout(input).to(dtype).flatten(0, -2)
        made = AddLowRank.apply(frames, output.flatten(0, -2), self.a.to(dtype), self.b.to(dtype), self.scale)
        return made.view_as(output)

    def factors(self) -> tuple[Tensor, Tensor]:
        """A (rank, width_in) and B (width_out, rank) whose product B A is what the branch adds to the host's weight."""
        return self.a, self.scale * self.b

    def change(self) -> Tensor:
        """What it adds to the host's weight, (width_out, width_in)."""
        a, b = self.factors()
        return b @ a

    def merge(self, host: nn.Linear) -> None:
        host.weight += self.change()


class PrincipalLowRank(LowRank):
    """A and B start as the host's r largest singular directions (PiSSA, arXiv 2404.02948).

    There the host keeps the rest. Here it keeps all, and the start B_0 A_0 is taken off again: the same function and
    gradients, with a backbone that stays as it is.
    """

    def __init__(self, host: nn.Linear, rank: int, scale: float, dropout: float):
        super().__init__(host.in_features, host.out_features, rank, scale, dropout)
        left, values, right = torch.svd_lowrank(host.weight.detach().float(), rank, niter=4)
        root = (values / scale).sqrt()
        self.a.data.copy_(root[:, None] * right.t())
        self.b.data.copy_(left * root)
        self.register_buffer("start_a", self.a.detach().clone())
        self.register_buffer("start_b", self.b.detach().clone())

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """input (batch, time, width_in), output (batch, time, width_out) -> as output"""
        frames = self.dropout(input).to(output.dtype)
        now, start = (
            frames @ a.t().to(frames.dtype) @ b.t().to(frames.dtype)
            for a, b in ((self.a, self.b), (self.start_a, self.start_b))
        )
        return output + self.scale * (now - start)  # at first the same numbers, so exactly zero

    def factors(self) -> tuple[Tensor, Tensor]:
        return torch.cat([self.a, self.start_a]), self.scale * torch.cat([self.b, -self.start_b], 1)


class Method(PetlMethod):
    kinds = ("linear",)
    linear = True
    mergeable = True

    class Config(PetlConfig):
        sites: str = "layer.*.attn.* layer.*.ffn.*"  # the six maps of a layer, as in SURE
        rank: int = Field(8, gt=0)
        alpha: float = Field(16.0, gt=0)  # SURE: 1
        dropout: float = Field(0.0, ge=0, lt=1)
        init: Literal["kaiming", "orthogonal", "pissa"] = "kaiming"  # of A; B is zero except with pissa
        rslora: bool = False  # scale alpha / sqrt(rank), not alpha / rank (arXiv 2312.03732)
        b_rate: float = Field(1.0, gt=0)  # the rate of B is that of A times this; LoRA+ has 16 (arXiv 2402.12354)

    @property
    def scale(self) -> float:
        return scale_of(self.config)

    def build(self, site: Site) -> nn.Module:
        config = self.config
        if config.init != "kaiming" and config.rank > min(site.width_in, site.width_out):
            raise SureError(
                f"petl ({config.name}): rank={config.rank} is more than the width of {site.name}, "
                f"{site.width_in} to {site.width_out}, which init={config.init} cannot fill; "
                "give a smaller rank, or init=kaiming"
            )
        module = self.low_rank(site)
        if config.init == "orthogonal":
            nn.init.orthogonal_(module.a)
        return module

    def low_rank(self, site: Site) -> nn.Module:
        config = self.config
        if config.init == "pissa":
            return PrincipalLowRank(site.host, config.rank, self.scale, config.dropout)
        return LowRank(site.width_in, site.width_out, config.rank, self.scale, config.dropout)

    def rate_factor(self, tensor: str) -> float:
        return self.config.b_rate if tensor == "b" else 1.0

    @classmethod
    def average(
        cls, configs: Sequence[Config], states: Sequence[Mapping[Place, Tensor]], shares: Sequence[float]
    ) -> tuple[Config, dict[Place, Tensor]]:
        """The factors side by side: the ranks add up, and the mean of the changes is exact."""
        sites = [dict.fromkeys(site for site, _ in state) for state in states]
        if not cls.linear or any(other.keys() != sites[0].keys() for other in sites):
            return super().average(configs, states, shares)  # which says why not
        found: dict[Place, Tensor] = {}
        for site in sites[0]:
            parts_a, parts_b = [], []
            for config, state, share in zip(configs, states, shares, strict=True):
                for start, sign in (("", 1), ("start_", -1)):
                    if (site, f"{start}a") in state:
                        parts_a.append(state[site, f"{start}a"])
                        parts_b.append(sign * share * scale_of(config) * state[site, f"{start}b"])
            found[site, "a"], found[site, "b"] = torch.cat(parts_a), torch.cat(parts_b, 1)
        rank = len(next(iter(found.values())))
        changes = {"rank": rank, "alpha": float(rank), "rslora": False, "init": "kaiming"}
        return configs[0].model_copy(update=changes), found


def scale_of(config: Method.Config) -> float:
    return config.alpha / (math.sqrt(config.rank) if config.rslora else config.rank)
