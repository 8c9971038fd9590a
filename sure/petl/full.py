"""Full fine-tuning: every parameter of the backbone trains; the reference for all other methods."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from torch import nn

from sure.petl.base import PetlConfig, PetlMethod


class Method(PetlMethod):
    linear = True
    needs_weights = True

    class Config(PetlConfig):
        convolutions: Literal["auto", "train", "freeze"] = Field(
            "auto",
            description="the convolutional front end; auto: frozen for CTC tasks (arXiv 2006.11477, section 4.2)",
        )

    def unfreeze_backbone(self, backbone: nn.Module) -> Sequence[str]:
        own = [name for name, _ in backbone.named_parameters() if ".attached." not in name]
        names = [name for name in own if name not in backbone.fixed_parameters]
        if self.config.convolutions != "freeze":
            return names
        frozen = {id(own) for site in backbone.convolution_sites() for own in site.host.parameters()}
        return [name for name in names if id(backbone.get_parameter(name)) not in frozen]
