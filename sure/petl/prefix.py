"""Prefix tuning: learned keys and values that every frame can attend to (arXiv 2101.00190)."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.petl.base import PetlConfig, PetlMethod


class Reparametrisation(nn.Module):
    """P = W_2 tanh(W_1 E), for all layers together (arXiv 2101.00190, section 4.3); only P is saved."""

    def __init__(self, length: int, width: int, hidden: int, layers: int, zero_values: bool):
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(length, width))
        self.first = nn.Linear(width, hidden)
        self.second = nn.Linear(hidden, 2 * layers * width)
        self.layers = layers
        if zero_values:
            for tensor in (self.second.weight, self.second.bias):
                nn.init.zeros_(tensor.data.unflatten(0, (layers, 2, width))[:, 1])

    def forward(self, layer: int) -> tuple[Tensor, Tensor]:
        """Keys and values of one layer, each (length, width)."""
        length, width = self.embedding.shape
        rows = slice(2 * layer * width, 2 * (layer + 1) * width)
        hidden = torch.tanh(self.first(self.embedding))
        both = nn.functional.linear(hidden, self.second.weight[rows], self.second.bias[rows])
        return both[:, :width], both[:, width:]

    def saved_state(self) -> dict[str, Tensor]:
        return {}


class Prefix(nn.Module):
    """Learned keys P_K and values P_V, (length, width), of one attention.

    identity: context + softmax(q P_K) P_V, with a separate softmax (arXiv 2303.16199, 3.2) and P_V zero at the start
    paper: K = [P_K; K], V = [P_V; V] in one softmax
    """

    def __init__(self, length: int, width: int, dropout: float, paper: bool = False, made_by: Callable | None = None):
        super().__init__()
        if made_by is None:
            self.keys = nn.Parameter(torch.randn(length, width))
            self.values = nn.Parameter(torch.randn(length, width) if paper else torch.zeros(length, width))
        self.dropout = nn.Dropout(dropout)
        self.paper = paper
        self.made_by = made_by  # a function, so that the shared parameters are not registered here as well

    def vectors(self) -> tuple[Tensor, Tensor]:
        return self.made_by() if self.made_by else (self.keys, self.values)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, attend: Callable[..., Tensor]) -> Tensor:
        """queries, keys, values (batch, time, width) -> context (batch, time, width)"""
        more_keys, more_values = (
            self.dropout(part).expand(keys.shape[0], -1, -1).to(keys.dtype) for part in self.vectors()
        )
        if self.paper:
            return attend(queries, torch.cat([more_keys, keys], 1), torch.cat([more_values, values], 1))
        return attend(queries, keys, values) + attend(queries, more_keys, more_values, masked=False)

    def saved_state(self) -> dict[str, Tensor]:
        keys, values = self.vectors()
        return {"keys": keys, "values": values}


class Method(PetlMethod):
    kinds = ("attention",)

    class Config(PetlConfig):
        sites: str = "layer.*.attn"
        length: int = Field(30, gt=0, description="number of prefix vectors per layer")
        dropout: float = Field(0.1, ge=0, lt=1, description="dropout probability of the prefix vectors")
        reparametrise: bool = Field(False, description="train P = W_2 tanh(W_1 E); the saved prefix is plain P")
        hidden: int | None = Field(
            None, gt=0, description="hidden units of the reparametrisation; the default is the site's width"
        )
        variant: Literal["identity", "paper"] = Field(
            "identity",
            description="identity: separate softmax, values start at zero; paper: one softmax with the frames",
        )

    def prepare(self, sites: Sequence[Site]) -> None:
        config = self.config
        self.order = {site.name: index for index, site in enumerate(sites)}
        if config.reparametrise:
            width, identity = sites[0].width_out, config.variant == "identity"
            self.shared = Reparametrisation(config.length, width, config.hidden or width, len(sites), identity)

    def build(self, site: Site) -> nn.Module:
        config, shared, index = self.config, self.shared, self.order[site.name]
        made_by = (lambda: shared(index)) if shared is not None else None
        return Prefix(config.length, site.width_out, config.dropout, config.variant == "paper", made_by)

    def saved(self) -> PetlConfig:
        return super().saved().model_copy(update={"reparametrise": False, "hidden": None})
