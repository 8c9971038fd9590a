"""LoRA: h = W x + b + (alpha / r) B A x, with A random and B zero at the start (arXiv 2106.09685, eq. 3)."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.errors import SureError
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod, Place
from sure.petl.low_rank_product import add_low_rank


class LowRank(nn.Module):
    """A low-rank branch parallel to a linear map."""

    def __init__(self, width_in: int, width_out: int, rank: int, scale: float, dropout: float):
        super().__init__()
        self.a = nn.Parameter(torch.empty(rank, width_in))
        self.b = nn.Parameter(torch.zeros(width_out, rank))
        self.scale = scale
        self.dropout = nn.Dropout(dropout)
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """h = (W x + b) + s B A x, with input x (batch, time, width_in) and output W x + b (batch, time, width_out)"""
        return add_low_rank(output, self.dropout(input), self.a, self.b, self.scale)

    def branch(self) -> tuple[Tensor, Tensor] | None:
        """A and s B if the linear map can compute `forward` within its own product: without dropout; else None."""
        plain = type(self).forward is LowRank.forward and not (self.training and self.dropout.p)
        return self.factors() if plain else None

    def factors(self) -> tuple[Tensor, Tensor]:
        """A (rank, width_in) and B (width_out, rank), whose product B A is the change of the host's weight."""
        return self.a, self.scale * self.b

    def change(self) -> Tensor:
        """The change of the host's weight, (width_out, width_in)."""
        a, b = self.factors()
        return b @ a

    def merge(self, host: nn.Linear) -> None:
        host.weight += self.change()


class PrincipalLowRank(LowRank):
    """A and B start as the r largest singular directions of the host's weight (PiSSA, arXiv 2404.02948).

    In the paper these are removed from the host. Here the host keeps them and the branch subtracts the initial B_0 A_0:
    the same function and gradients, with an unchanged backbone.
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
        """output + s (B A - B_0 A_0) input; input (batch, time, width_in), output (batch, time, width_out)"""
        hidden, dtype = self.dropout(input).to(output.dtype), output.dtype
        now, start = (
            hidden @ a.t().to(dtype) @ b.t().to(dtype) for a, b in ((self.a, self.b), (self.start_a, self.start_b))
        )
        return output + self.scale * (now - start)  # exactly zero at the start: both products are equal then

    def factors(self) -> tuple[Tensor, Tensor]:
        return torch.cat([self.a, self.start_a]), self.scale * torch.cat([self.b, -self.start_b], 1)


class Method(PetlMethod):
    kinds = ("linear",)
    linear = True
    mergeable = True

    class Config(PetlConfig):
        sites: str = "layer.*.attn.* layer.*.ffn.*"  # the six linear maps of a layer, as in SURE
        rank: int = Field(8, gt=0, description="rank r of the change")
        alpha: float = Field(16.0, gt=0, description="the change is scaled by alpha / rank; SURE has 1")
        dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability of the branch's input")
        init: Literal["kaiming", "orthogonal", "pissa"] = Field(
            "kaiming", description="initial A; B starts at zero except with pissa (arXiv 2404.02948)"
        )
        rslora: bool = Field(False, description="scale by alpha / sqrt(rank) instead (arXiv 2312.03732)")
        b_rate: float = Field(
            1.0, gt=0, description="learning rate of B as a multiple of that of A; LoRA+ has 16 (arXiv 2402.12354)"
        )

        @property
        def scale(self) -> float:
            return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)

    @property
    def needs_weights(self) -> bool:
        return self.config.init == "pissa"

    def build(self, site: Site) -> nn.Module:
        config = self.config
        if config.init != "kaiming" and config.rank > min(site.width_in, site.width_out):
            raise SureError(
                f"petl ({config.name}): rank={config.rank} is more than the width of {site.name}, "
                f"{site.width_in} to {site.width_out}, so init={config.init} is impossible; "
                "give a smaller rank, or init=kaiming"
            )
        module = self.low_rank(site)
        if config.init == "orthogonal":
            nn.init.orthogonal_(module.a)
        return module

    def low_rank(self, site: Site) -> nn.Module:
        config = self.config
        if config.init == "pissa":
            return PrincipalLowRank(site.host, config.rank, config.scale, config.dropout)
        return LowRank(site.width_in, site.width_out, config.rank, config.scale, config.dropout)

    def rate_factor(self, tensor: str) -> float:
        return self.config.b_rate if tensor == "b" else 1.0

    @classmethod
    def average(
        cls, configs: Sequence[Config], states: Sequence[Mapping[Place, Tensor]], shares: Sequence[float]
    ) -> tuple[Config, dict[Place, Tensor]]:
        """Concatenate the factors: the ranks add up, and the mean of the changes is exact."""
        sites = [dict.fromkeys(site for site, _ in state) for state in states]
        if not cls.linear or any(other.keys() != sites[0].keys() for other in sites):
            return super().average(configs, states, shares)  # raises the error
        found: dict[Place, Tensor] = {}
        for site in sites[0]:
            parts = [
                (state[site, f"{start}a"], sign * share * config.scale * state[site, f"{start}b"])
                for config, state, share in zip(configs, states, shares, strict=True)
                for start, sign in (("", 1), ("start_", -1))
                if (site, f"{start}a") in state
            ]
            found[site, "a"], found[site, "b"] = torch.cat([a for a, _ in parts]), torch.cat([b for _, b in parts], 1)
        rank = len(next(iter(found.values())))
        changes = {"rank": rank, "alpha": float(rank), "rslora": False, "init": "kaiming"}
        return configs[0].model_copy(update=changes), found
