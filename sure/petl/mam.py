"""MAM: a prefix in the attention and a scaled bottleneck parallel to the FFN (arXiv 2110.04366, section 4.6)."""

from pydantic import Field
from torch import nn

from sure.backbones.base import Site
from sure.petl.base import PetlConfig, PetlMethod
from sure.petl.bottleneck import Activation, Bottleneck, linear_maps
from sure.petl.prefix import Prefix


class Method(PetlMethod):
    kinds = ("attention", "sublayer")

    class Config(PetlConfig):
        sites: str = "layer.*.attn layer.*.ffn"
        length: int = Field(30, gt=0, description="number of prefix vectors per layer")
        width: int = Field(256, gt=0, description="hidden units of the bottleneck")
        scale: float = Field(4.0, description="factor of the bottleneck's output")
        activation: Activation = Field("relu", description="activation function of the bottleneck")
        dropout: float = Field(0.1, ge=0, lt=1, description="dropout probability of prefix vectors and hidden units")

    def build(self, site: Site) -> nn.Module:
        config = self.config
        if site.kind == "attention":
            return Prefix(config.length, site.width_out, config.dropout)
        maps = linear_maps(site.width_out, config.width)
        return Bottleneck(maps, config.activation, config.dropout, config.scale, parallel=True)
