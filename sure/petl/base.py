"""Base of the PETL methods: the settings of a method, and the modules that it builds for sites of the backbone."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from sure.backbones.base import Site
from sure.errors import SureError

Place = tuple[str, str]  # site and name of a tensor: ("layer.3.attn.q", "a")


class PetlConfig(BaseModel):
    """Settings of all methods; the `Config` of a method adds its own and sets the default of `sites`."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str = Field("", description="the name of a file in sure/petl; lora+prefix is a combination of two")
    sites: str = Field(
        "", description="site patterns separated by spaces, such as `layer.*.attn.[qv] layer.[6-11].after_ffn`"
    )
    lr: float | None = Field(None, ge=0, description="peak learning rate; the default is train.lr_adapter")
    layer_decay: float = Field(
        1.0,
        gt=0,
        description="factor of the learning rate per layer below the last: rate * layer_decay ** layers above",
    )
    start: str = Field("", description="bundle or imported adapter whose tensors of this method training starts from")
    trains: bool = Field(True, description="false: the tensors of `start` stay frozen")


class PetlMethod:
    """Base of every `Method`; each file `sure/petl/<name>.py` defines one. Override what differs from this class."""

    Config: type[PetlConfig] = PetlConfig
    kinds: tuple[str, ...] = ("linear", "residual", "norm", "convolution")  # kinds of site that it accepts
    encoders = True  # whether speech encoders have sites for it
    causal = True  # a token's change does not depend on later ones, so that decoders can have it
    alone = False  # its modules cannot share their site with another method
    linear = False  # the change is linear in the tensors: the average of tensors gives the average change
    scales = False  # its modules multiply the output of their site
    keeps_last = False  # its readout starts as exactly the last layer
    needs_weights = False  # it reads or trains weights of linear maps, which therefore have to be built exactly
    reads_host = False  # its modules compute with the host's own weight, so that this has to stay exact
    mergeable = False  # its modules have `merge(host)`, which folds them into the host's weights

    def __init__(self, config: PetlConfig):
        self.config = config
        self.shared: nn.Module | None = None  # parameters shared by several sites, set in `prepare`

    def prepare(self, sites: Sequence[Site]) -> None:
        """Called once with all matched sites, before the first `build`."""

    def build(self, site: Site) -> nn.Module | None:
        """The new module for `site`, called as `module(input, output, frames)`; see `Slot` in backbones/base.py."""
        return None

    def unfreeze(self, site: Site) -> Sequence[str]:
        """Names of the host's own parameters that train, such as `("bias",)`."""
        return ()

    def unfreeze_backbone(self, backbone: nn.Module) -> Sequence[str]:
        """Names of the backbone's own parameters that train without sites; only `full` has any."""
        return ()

    def readout(self, taps: Sequence[Site], width: int) -> nn.Module | None:
        """A module that reads all taps, each (batch, time, width): `module(taps, frames)` -> (batch, time, width).

        An output of another width needs the attribute `width`.
        """
        return None

    @property
    def reads_layers(self) -> bool:
        """Whether the method has a readout."""
        return type(self).readout is not PetlMethod.readout

    def saved(self) -> PetlConfig:
        """The config that the saved tensors need; it differs from `config` if a reparametrisation is folded."""
        return self.config.model_copy(update={"start": ""})

    @classmethod
    def average(
        cls, configs: Sequence[PetlConfig], states: Sequence[Mapping[Place, Tensor]], shares: Sequence[float]
    ) -> tuple[PetlConfig, dict[Place, Tensor]]:
        """One config and its tensors whose change of the backbone is the weighted mean of the given changes.

        shares: weights of the mean; they add up to 1. Raises SureError if the method has no exact mean.
        """
        name = configs[0].name
        if not cls.linear:
            raise SureError(f"petl ({name}): its change is not linear in its tensors, so an average is not possible")
        if any(state.keys() != states[0].keys() for state in states):
            raise SureError(f"petl ({name}): the adapters have different sites ({configs[0].sites!r}, ...)")
        return configs[0], {
            place: sum(share * state[place] for share, state in zip(shares, states, strict=True)) for place in states[0]
        }

    def rate_factor(self, tensor: str) -> float:
        """Factor of the learning rate for a tensor of a built module, by its name in the module."""
        return 1.0
