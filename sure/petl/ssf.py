"""SSF: gamma y + beta after every linear map and norm, a scale and a shift per channel (arXiv 2210.08823)."""

import torch
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod


class ScaleAndShift(nn.Module):
    """scale * output + shift; the scale starts at one and the shift at zero."""

    def __init__(self, width: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """output (batch, time, width) -> the same shape"""
        return output * self.scale + self.shift

    def merge(self, host: nn.Module) -> None:
        """Add a bias to a host without one."""
        host.weight *= self.scale.view(-1, *[1] * (host.weight.dim() - 1))
        if host.bias is None:
            host.bias = nn.Parameter(self.shift.clone(), requires_grad=False)
        else:
            host.bias.mul_(self.scale).add_(self.shift)


class Method(PetlMethod):
    kinds = ("linear", "norm")
    linear = True
    scales = True
    mergeable = True

    class Config(PetlConfig):
        sites: str = "layer.*.attn.* layer.*.ffn.* layer.*.norm.*"

    def build(self, site: Site) -> nn.Module:
        return ScaleAndShift(site.width_out)
