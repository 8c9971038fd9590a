"""BitFit: the biases of the layers' linear maps and norms train; no module is added (arXiv 2106.10199)."""

from collections.abc import Sequence

from sure.backbones.base import Site
from sure.petl.base import PetlConfig, PetlMethod


class Method(PetlMethod):
    kinds = ("linear", "norm")
    linear = True

    class Config(PetlConfig):
        sites: str = "layer.*.attn.* layer.*.ffn.* layer.*.norm.*"

    def unfreeze(self, site: Site) -> Sequence[str]:
        """Hosts without a bias (Moonshine's attention and norms) train nothing, as the coverage table shows."""
        return ("bias",) if getattr(site.host, "bias", None) is not None else ()
