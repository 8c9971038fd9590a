"""Whole modules of the backbone train, such as the postnet or the variance predictors of a synthesiser."""

from collections.abc import Sequence

from sure.backbones.base import Site
from sure.petl.base import PetlConfig, PetlMethod


class Method(PetlMethod):
    """For synthesisers: other backbones have no sites of kind `part`."""

    kinds = ("part",)
    encoders = False
    linear = True
    needs_weights = True

    class Config(PetlConfig):
        sites: str = "variance.* postnet"

    def unfreeze(self, site: Site) -> Sequence[str]:
        return [name for name, _ in site.host.named_parameters()]
