"""What a method is: a config of its own, and the module that it puts at each of the sites it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.errors import SureError
from sure.frames import Frames

Place = tuple[str, str]  # of a tensor: the site and the name there, ("layer.3.attn.q", "a")


class PetlConfig(BaseModel):
    """Settings every method has; a method's `Config` adds its own and says its default sites."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str = ""
    sites: str = ""  # patterns, separated by spaces: `layer.*.attn.[qv] layer.[6-11].after_ffn`; patterns.py
    lr: float | None = Field(None, ge=0)  # instead of train.lr_adapter
    layer_decay: float = Field(1.0, gt=0)  # of the rate, once for every layer above
    start: str = ""  # a bundle: training starts from what it has of this method
    trains: bool = True  # false: attached as `start` has it, and frozen like the backbone


class PetlMethod:
    """Base of every `Method`. Override what the method does; each file `sure/petl/<name>.py` defines one `Method`."""

    Config: type[PetlConfig] = PetlConfig
    kinds: tuple[str, ...] = ("linear", "residual", "norm", "convolution")  # kinds of site it can sit at
    encoders = True  # whether it has a place in speech encoders
    alone = False  # its modules share their site with no other method's
    linear = False  # what it changes is linear in its tensors, so that their average is the average of the changes
    scales = False  # its modules multiply what is at their site, so that it is not linear in both
    keeps_last = False  # its readout starts as the last layer, exactly
    mergeable = False  # its modules have `merge(host)`, which folds them into the frozen weights

    def __init__(self, config: PetlConfig):
        self.config = config
        self.shared: nn.Module | None = None  # parameters that several sites share; set in `prepare`

    def prepare(self, sites: Sequence[Site]) -> None:
        """Called once with all matched sites, before the first `build`."""

    def build(self, site: Site) -> nn.Module | None:
        """The new module that sits at `site`, called as `module(input, output, frames)`; see backbones/base.py."""
        return None

    def unfreeze(self, site: Site) -> Sequence[str]:
        """Names of the host's own parameters that train, e.g. `("bias",)`."""
        return ()

    def unfreeze_backbone(self, backbone: nn.Module) -> Sequence[str]:
        """Names of the backbone's parameters that train whatever the sites; only `full` has any."""
        return ()

    def readout(self, taps: Sequence[Site], width: int) -> nn.Module | None:
        """A module that reads all taps, each (batch, time, width): `module(taps, frames)` -> (batch, time, width).

        Where what it returns is of another width, its attribute `width` says which.
        """
        return None

    @property
    def reads_layers(self) -> bool:
        """Whether it has a readout."""
        return type(self).readout is not PetlMethod.readout

    def saved(self) -> PetlConfig:
        """The config that rebuilds what is saved; differs from `config` where something is folded on saving."""
        return self.config.model_copy(update={"start": ""})

    @classmethod
    def average(
        cls, configs: Sequence[PetlConfig], states: Sequence[Mapping[Place, Tensor]], shares: Sequence[float]
    ) -> tuple[PetlConfig, dict[Place, Tensor]]:
        """One config, and tensors by place, that change the backbone by the mean of what those given change.

        shares: of each in the mean; they add up to 1. Raises SureError where that cannot be said in this form.
        """
        name = configs[0].name
        if not cls.linear:
            raise SureError(f"petl ({name}): what it changes is not linear in its tensors, so there is no mean of it")
        if any(state.keys() != states[0].keys() for state in states):
            raise SureError(f"petl ({name}): the adapters sit at different places ({configs[0].sites!r}, ...)")
        return configs[0], {
            place: sum(share * state[place] for share, state in zip(shares, states, strict=True)) for place in states[0]
        }

    def rate_factor(self, tensor: str) -> float:
        """By what the rate is multiplied for a tensor of a built module, by its name there."""
        return 1.0


class Scale(nn.Module):
    """output * scale, one learned factor a channel, ones at the start. output (batch, time, width)"""

    def __init__(self, width: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        return output * self.scale
