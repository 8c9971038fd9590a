"""(IA)3: learned factors on keys, values and the hidden units of the FFN (Liu et al., arXiv 2205.05638)."""

from __future__ import annotations

from torch import nn

from sure.backbones.base import Site
from sure.petl.base import PetlConfig, PetlMethod, Scale


class ScaledOutput(Scale):
    """Factors of what a linear map makes: of its rows."""

    def merge(self, host: nn.Linear) -> None:
        host.weight *= self.scale[:, None]
        if host.bias is not None:
            host.bias *= self.scale


class ScaledInput(Scale):
    """Factors of what a linear map reads, behind the activation: of its columns."""

    def merge(self, host: nn.Linear) -> None:
        host.weight *= self.scale


class Method(PetlMethod):
    """Behind the activation as published (equation 1); at any linear map as well."""

    kinds = ("linear", "activation")
    linear = True
    scales = True
    mergeable = True

    class Config(PetlConfig):
        sites: str = "layer.*.attn.[kv] layer.*.after_activation"

    def build(self, site: Site) -> nn.Module:
        return (ScaledInput if site.kind == "activation" else ScaledOutput)(site.width_out)
