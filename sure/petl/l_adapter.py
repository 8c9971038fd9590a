"""L-adapter: sum_l LN(GELU(Linear_l h_l)), a branch from every layer to the head (arXiv 2212.02780)."""

from collections.abc import Sequence

from pydantic import Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.frames import Frames
from sure.petl.base import PetlConfig, PetlMethod
from sure.petl.bottleneck import ACTIVATIONS, Activation


class Branch(nn.Module):
    def __init__(self, width_in: int, width: int, activation: str, dropout: float):
        super().__init__()
        self.map = nn.Linear(width_in, width)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, tap: Tensor) -> Tensor:
        """tap (batch, time, width_in) -> (batch, time, width)"""
        return self.norm(self.dropout(self.activation(self.map(tap))))


class LayerBranches(nn.Module):
    """The sum of a branch per layer. The weight of each branch's norm starts at 1 / number of branches."""

    def __init__(self, layers: Sequence[int], width_in: int, width: int, activation: str, dropout: float):
        super().__init__()
        self.layers = list(layers)
        self.width = width
        self.branches = nn.ModuleList(Branch(width_in, width, activation, dropout) for _ in self.layers)
        for branch in self.branches:
            nn.init.constant_(branch.norm.weight, 1 / len(self.branches))

    def forward(self, taps: list[Tensor], frames: Frames) -> Tensor:
        """taps: list of (batch, time, width_in), from the input of the first layer on -> (batch, time, width)"""
        return sum(branch(taps[layer + 1]) for layer, branch in zip(self.layers, self.branches, strict=True))


class Method(PetlMethod):
    kinds = ("tap",)

    class Config(PetlConfig):
        sites: str = "layer.*.output"
        width: int = Field(512, gt=0, description="width of the branches, and of the head's input")
        activation: Activation = Field("gelu", description="activation function")
        dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability after the activation")

    def prepare(self, sites: Sequence[Site]) -> None:
        self.layers = [site.layer for site in sites]

    def readout(self, taps: Sequence[Site], width: int) -> nn.Module:
        config = self.config
        return LayerBranches(self.layers, width, config.width, config.activation, config.dropout)
