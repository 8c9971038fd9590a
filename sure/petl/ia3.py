"""(IA)3: l_k K, l_v V and l_ff act(W x): learned factors of keys, values and FFN units (arXiv 2205.05638)."""

import torch
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod


class Scale(nn.Module):
    """output * scale, one learned factor per channel, ones at the start."""

    def __init__(self, width: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """output (batch, time, width) -> the same shape"""
        return output * self.scale


class ScaledOutput(Scale):
    """Factors of the outputs of a linear map, the rows of its weight."""

    def merge(self, host: nn.Linear) -> None:
        host.weight *= self.scale[:, None]
        if host.bias is not None:
            host.bias *= self.scale


class ScaledInput(Scale):
    """Factors of the inputs of a linear map, after the activation: the columns of its weight."""

    def merge(self, host: nn.Linear) -> None:
        host.weight *= self.scale


class Method(PetlMethod):
    """After the activation as published (equation 1), or at any linear map."""

    kinds = ("linear", "activation")
    linear = True
    scales = True
    mergeable = True

    class Config(PetlConfig):
        sites: str = "layer.*.attn.[kv] layer.*.after_activation"

    def build(self, site: Site) -> nn.Module:
        return (ScaledInput if site.kind == "activation" else ScaledOutput)(site.width_out)
