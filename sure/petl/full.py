"""Full fine-tuning: every parameter of the backbone trains; the reference for all other methods."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from torch import nn

from sure.errors import SureError
from sure.petl.base import PetlConfig, PetlMethod


class Method(PetlMethod):
    linear = True
    needs_weights = True

    class Config(PetlConfig):
        convolutions: Literal["auto", "train", "freeze"] = Field(
            "auto",
            description="the convolutional front end; auto: frozen for CTC tasks (arXiv 2006.11477, section 4.2)",
        )

        stack: Literal["both", "encoder", "decoder"] = Field(
            "both", description="for a backbone with encoder and decoder: which of them train"
        )

    def unfreeze_backbone(self, backbone: nn.Module) -> Sequence[str]:
        """Raises SureError for one stack of a backbone without two."""
        own = [name for name, _ in backbone.named_parameters() if ".attached." not in name]
        names = [name for name in own if name not in backbone.fixed_parameters and self._chosen(name)]
        if not names:
            raise SureError(f"petl (full): stack={self.config.stack}, but the backbone has one stack; omit it")
        if self.config.convolutions != "freeze":
            return names
        frozen = {id(own) for site in backbone.convolution_sites() for own in site.host.parameters()}
        return [name for name in names if id(backbone.get_parameter(name)) not in frozen]

    def _chosen(self, name: str) -> bool:
        return self.config.stack == "both" or name.startswith(f"{self.config.stack}.")
