"""CNN adapter: conv(x) + 0.01 conv'(x), with a copy conv' of each front-end block (CHAPTER, arXiv 2212.01282)."""

import copy

from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site, Slot
from sure.backbones.convolution import ConvolutionBlock
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod


class BlockCopy(nn.Module):
    """A copy of a convolution block. Its convolution starts at zero, and so does its output."""

    def __init__(self, host: ConvolutionBlock, scale: float):
        super().__init__()
        self.block = copy.deepcopy(host)
        self.block.slot = Slot()  # other modules at the host are not copied
        self.scale = scale
        zero = [*self.block.convolution.parameters(), getattr(self.block.norm, "bias", None)]
        for parameter in zero:
            if parameter is not None:
                nn.init.zeros_(parameter)

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """input (batch, time_in, channels_in), output (batch, time, channels) -> the shape of output"""
        return output + self.scale * self.block.compute(input.transpose(1, 2), frames).transpose(1, 2)


class Method(PetlMethod):
    kinds = ("convolution",)

    class Config(PetlConfig):
        sites: str = "conv.*"
        scale: float = Field(0.01, description="factor of the copies' output")

    def build(self, site: Site) -> nn.Module:
        return BlockCopy(site.host, self.config.scale)
