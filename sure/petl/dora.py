"""DoRA: m (W + s B A) / ||W + s B A||: LoRA turns the rows of W, m is their learned length (arXiv 2402.09353)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl import lora


class DecomposedLowRank(lora.LowRank):
    """A low-rank branch whose sum with W has rows of learned length; m starts at the lengths of W's own rows."""

    def __init__(self, host: nn.Linear, rank: int, scale: float, dropout: float):
        super().__init__(host.in_features, host.out_features, rank, scale, dropout)
        self.host = lambda: host  # a plain function, so that the frozen map is not registered here too
        self.magnitude = nn.Parameter(self._norms().detach())

    def _norms(self) -> Tensor:
        """Lengths of the rows, (width_out,)."""
        weight = self.host().weight
        return torch.linalg.vector_norm(weight + self.change().to(weight), dim=1)

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """input (batch, time, width_in), output (batch, time, width_out) -> as output

        The lengths are constants to the gradient (section 4.3).
        """
        with torch.no_grad():
            norms = self._norms()
        change = (self.magnitude / norms).to(output.dtype) - 1
        bias = self.host().bias
        moved = super().forward(input, output, frames)  # at the start as it was, bit for bit: change is zero
        return moved + change * (moved if bias is None else moved - bias.to(moved.dtype))

    def merge(self, host: nn.Linear) -> None:
        ratio = self.magnitude / self._norms()
        super().merge(host)
        host.weight *= ratio[:, None]


class Method(lora.Method):
    linear = False
    alone = True  # the lengths are those of the host's rows, whatever else is added there

    class Config(lora.Method.Config):
        init: Literal["kaiming", "orthogonal"] = "kaiming"

    def low_rank(self, site: Site) -> nn.Module:
        return DecomposedLowRank(site.host, self.config.rank, self.scale, self.config.dropout)
