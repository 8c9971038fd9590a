"""Weights of frozen linear maps in 16, 8 or 4 bits a number, dequantised for each product."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from sure.backbones.layers import Linear, to_autocast
from sure.backbones.products import FrozenMap, frozen_products

BLOCK = 64  # numbers with a common scale in NF4
# Quantiles of the normal distribution, with an exact zero (QLoRA, arXiv 2305.14314, appendix E).
NF4_LEVELS = (
    *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635),
    *(-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725),
    *(0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
)


class Quantised(nn.Module, ABC):
    """A frozen weight (width_out, width_in) in few bits."""

    def __init__(self, weight: Tensor):
        super().__init__()
        self.shape = weight.shape

    @abstractmethod
    def dequantise(self) -> Tensor:
        """The weight (width_out, width_in), in float32 or bfloat16."""

    def forward(self, input: Tensor, bias: Tensor | None = None) -> Tensor:
        """input (batch, time, width_in) -> (batch, time, width_out), in the type of autocast or of the input"""
        return frozen_products(to_autocast(input), [FrozenMap(self.dequantise, bias)])[0]


class BFloat16(Quantised):
    """bfloat16, the type of products in bf16 training, which then convert no weight."""

    def __init__(self, weight: Tensor):
        super().__init__(weight)
        self.register_buffer("weight", weight.bfloat16())

    def dequantise(self) -> Tensor:
        return self.weight


class Int8(Quantised):
    """Whole numbers up to 127 in size, with a scale for each output channel."""

    def __init__(self, weight: Tensor):
        super().__init__(weight)
        weight = weight.float()
        scale = (weight.abs().amax(1, keepdim=True) / 127).clamp(min=torch.finfo(torch.float32).tiny)
        self.register_buffer("scale", scale)
        self.register_buffer("codes", (weight / scale).round().to(torch.int8))

    def dequantise(self) -> Tensor:
        return self.codes * self.scale


class Nf4(Quantised):
    """Two numbers in a byte, each one of 16 levels; a scale for each block of 64, the largest size in it."""

    def __init__(self, weight: Tensor):
        super().__init__(weight)
        numbers = weight.float().flatten()
        blocks = nn.functional.pad(numbers, (0, -len(numbers) % BLOCK)).view(-1, BLOCK)
        scale = blocks.abs().amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        levels = torch.tensor(NF4_LEVELS, device=weight.device)
        codes = torch.bucketize(blocks / scale, (levels[1:] + levels[:-1]) / 2, out_int32=True).to(torch.uint8)
        self.register_buffer("scale", scale)
        self.register_buffer("codes", codes[:, ::2] * 16 + codes[:, 1::2])
        # both numbers of every byte
        self.register_buffer("pairs", torch.cartesian_prod(levels, levels), persistent=False)

    def dequantise(self) -> Tensor:
        blocks = self.pairs[self.codes.int()].flatten(1) * self.scale
        return blocks.flatten()[: self.shape.numel()].view(self.shape)


FORMATS: dict[str, type[Quantised]] = {"bf16": BFloat16, "int8": Int8, "nf4": Nf4}


def linear_maps(backbone: nn.Module) -> list[Linear]:
    """The linear maps in the layers of a backbone that can be stored in a format, and are not yet."""
    found = {part: None for layer in backbone.layers for part in layer.modules() if type(part) is Linear}
    return [part for part in found if part.weight is not None]


def store(map: Linear, format: str) -> None:
    """Store the weight of a linear map in a format."""
    map.quantised, map.weight = FORMATS[format](map.weight.detach()), None


def quantise(backbone: nn.Module, format: str, kept: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    """Store the weights of the linear maps in the layers of a backbone in a format; returns the removed parameters.

    kept: parameters that stay, because they train or are replaced. Convolutions, norms and biases stay as they are.
    """
    kept_ids, removed = {id(parameter) for parameter in kept}, []
    for part in linear_maps(backbone):
        if id(part.weight) not in kept_ids:
            removed.append(part.weight)
            store(part, format)
    return removed


def hidden_parameters(backbone: nn.Module) -> int:
    """Number of weights that are not parameters any more."""
    return sum(part.shape.numel() for part in backbone.modules() if isinstance(part, Quantised))
