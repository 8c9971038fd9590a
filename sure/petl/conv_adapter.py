"""ConvAdapter: y = x + SE(K3 * (K2 * ReLU(K1 * LN(x)))), SE squeeze and excite (SURE, arXiv 2303.03267)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.errors import SureError
from sure.petl.base import PetlConfig, PetlMethod


class SqueezeExcite(nn.Module):
    """z * sigmoid(W2 ReLU(W1 mean_t z)); the mean is over valid frames, or over padding too as in the paper's code."""

    def __init__(self, width: int, hidden: int, masked: bool):
        super().__init__()
        self.down = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(hidden, width, bias=False)
        self.masked = masked

    def forward(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """hidden (batch, time, width), zero on padding -> the same shape"""
        if mask is None or not self.masked:
            mean = hidden.mean(1)
        else:
            mean = hidden.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        return hidden * torch.sigmoid(self.up(torch.relu(self.down(mean))))[:, None]


class ConvAdapter(nn.Module):
    """Three grouped convolutions over time, all `same`, stride 1, without bias.

    Ours starts as the identity (K3 is zero) and keeps padding out of every sum; `paper` does neither.
    """

    def __init__(
        self, width: int, hidden: int, kernels: tuple[int, int, int], reduction: int, dropout: float, paper: bool
    ):
        super().__init__()
        first, second, third = kernels
        self.norm = nn.LayerNorm(width)
        self.conv1 = nn.Conv1d(width, hidden, first, padding="same", groups=hidden, bias=False)
        self.conv2 = nn.Conv1d(hidden, hidden, second, padding="same", groups=hidden, bias=False)
        self.conv3 = nn.Conv1d(hidden, width, third, padding="same", groups=hidden, bias=False)
        self.excite = SqueezeExcite(width, width // reduction, masked=not paper)
        self.dropout = nn.Dropout(dropout)
        self.paper = paper
        if not paper:
            nn.init.zeros_(self.conv3.weight)

    def forward(self, input: Tensor, output: Tensor, mask: Tensor | None) -> Tensor:
        """output (batch, time, width), mask (batch, time) -> as output"""
        keep = None if mask is None or self.paper else mask[:, None].to(output.dtype)
        hidden = self.norm(output).transpose(1, 2)
        hidden = torch.relu(self.conv1(_keep(hidden, keep)))
        hidden = self.conv2(self.dropout(_keep(hidden, keep)))
        hidden = self.conv3(_keep(hidden, keep))
        hidden = _keep(hidden, keep).transpose(1, 2)
        return output + self.excite(hidden, mask)


def _keep(hidden: Tensor, keep: Tensor | None) -> Tensor:
    return hidden if keep is None else hidden * keep


class Method(PetlMethod):
    kinds = ("residual", "sublayer", "convolution")

    class Config(PetlConfig):
        sites: str = "layer.*.after_ffn"
        width: int | None = Field(None, gt=0)  # hidden channels; None: half the site's width
        kernels: tuple[PositiveInt, PositiveInt, PositiveInt] = (3, 5, 3)
        reduction: int = Field(16, gt=0)  # of the squeeze and excite
        dropout: float = Field(0.0, ge=0, lt=1)
        variant: Literal["identity", "paper"] = "identity"

    def build(self, site: Site) -> nn.Module:
        config = self.config
        width = config.width or max(site.width_out // 2, 1)
        if site.width_out % width:
            raise SureError(
                f"petl (conv_adapter): width={width} does not divide the {site.width_out} channels of {site.name}; "
                "give a width that does"
            )
        return ConvAdapter(
            site.width_out,
            width,
            config.kernels,
            config.reduction,
            config.dropout,
            paper=config.variant == "paper",
        )
