"""ConvAdapter: y = x + SE(K3 * (K2 * ReLU(K1 * LN(x)))), SE squeeze and excitation (SURE, arXiv 2303.03267)."""

from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.errors import SureError
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod


class SqueezeExcite(nn.Module):
    """z * sigmoid(W2 ReLU(W1 mean_t z)). masked: the mean is over valid frames; the paper's code includes padding."""

    def __init__(self, width: int, hidden: int, masked: bool):
        super().__init__()
        self.down = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(hidden, width, bias=False)
        self.masked = masked

    def forward(self, hidden: Tensor, frames: Frames) -> Tensor:
        """hidden (batch, time, width), zero on padding -> the same shape"""
        mean = frames.mean(hidden) if self.masked else hidden.mean(1)
        return hidden * torch.sigmoid(self.up(torch.relu(self.down(mean))))[:, None]


class ConvAdapter(nn.Module):
    """Three grouped convolutions over time, with `same` padding, stride 1 and no bias.

    K3 starts at zero, so the start is the identity, and padding is masked; `paper` does neither.
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

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """output (batch, time, width) -> the same shape"""
        hidden = self._zero_padding(self.norm(output).transpose(1, 2), frames)
        hidden = self._zero_padding(torch.relu(self.conv1(hidden)), frames)
        hidden = self._zero_padding(self.conv2(self.dropout(hidden)), frames)
        hidden = self._zero_padding(self.conv3(hidden), frames)
        return output + self.excite(hidden.transpose(1, 2), frames)

    def _zero_padding(self, hidden: Tensor, frames: Frames) -> Tensor:
        return hidden if self.paper else frames.fill(hidden, dim=2)


class Method(PetlMethod):
    kinds = ("residual", "sublayer", "convolution")
    causal = False

    class Config(PetlConfig):
        sites: str = "layer.*.after_ffn"
        width: int | None = Field(None, gt=0, description="hidden channels; the default is half the site's width")
        kernels: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
            (3, 5, 3), description="kernel sizes of the three convolutions, in frames"
        )
        reduction: int = Field(16, gt=0, description="width / reduction hidden units in squeeze and excitation")
        dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability after the first convolution")
        variant: Literal["identity", "paper"] = Field(
            "identity", description="identity: K3 starts at zero, padding is masked; paper: neither"
        )

    def build(self, site: Site) -> nn.Module:
        config = self.config
        width = config.width or max(site.width_out // 2, 1)
        if site.width_out % width:
            raise SureError(
                f"petl (conv_adapter): width={width} does not divide the {site.width_out} channels of {site.name}; "
                "give a width that does"
            )
        paper = config.variant == "paper"
        return ConvAdapter(site.width_out, width, config.kernels, config.reduction, config.dropout, paper)
