"""DoRA: m (W + s B A) / ||W + s B A||: LoRA changes the direction of W's rows, m their norm (arXiv 2402.09353)."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl import lora


class DecomposedLowRank(lora.LowRank):
    """A low-rank branch; the rows of its sum with W have learned norms m, which start as the norms of W's rows."""

    def __init__(self, host: nn.Linear, rank: int, scale: float, dropout: float):
        super().__init__(host.in_features, host.out_features, rank, scale, dropout)
        self.host = lambda: host  # a function, so that the frozen map is not registered here as well
        self.magnitude = nn.Parameter(self._norms().detach())

    def _norms(self) -> Tensor:
        """Norms of the rows of W + s B A, (width_out,)."""
        weight = self.host().weight
        return torch.linalg.vector_norm(weight + self.change().to(weight), dim=1)

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """input (batch, time, width_in), output (batch, time, width_out) -> the shape of output

        The norms are constants in the backward pass (section 4.3).
        """
        with torch.no_grad():
            norms = self._norms()
        change = (self.magnitude / norms).to(output.dtype) - 1
        bias = self.host().bias
        moved = super().forward(input, output, frames)
        # change is zero at the start, so the output is unchanged bit for bit
        return moved + change * (moved if bias is None else moved - bias.to(moved.dtype))

    def merge(self, host: nn.Linear) -> None:
        ratio = self.magnitude / self._norms()
        super().merge(host)
        host.weight *= ratio[:, None]


class Method(lora.Method):
    linear = False
    reads_host = True
    alone = True  # the norms ignore the changes of other methods at the site

    class Config(lora.Method.Config):
        init: Literal["kaiming", "orthogonal"] = Field("kaiming", description="initial A; B starts at zero")

    def low_rank(self, site: Site) -> nn.Module:
        return DecomposedLowRank(site.host, self.config.rank, self.config.scale, self.config.dropout)
