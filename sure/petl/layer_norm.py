"""LN-tuning: weights and biases of the layers' norms train; no module is added (arXiv 2211.08682)."""

from collections.abc import Sequence

from sure.backbones.base import Site
from sure.petl.base import PetlConfig, PetlMethod


class Method(PetlMethod):
    kinds = ("norm",)
    linear = True

    class Config(PetlConfig):
        sites: str = "layer.*.norm.*"

    def unfreeze(self, site: Site) -> Sequence[str]:
        """Some norms have no bias (Moonshine's)."""
        return [name for name in ("weight", "bias") if getattr(site.host, name, None) is not None]
