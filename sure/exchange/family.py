"""Names of a backbone's modules in transformers."""

from torch import nn

from sure.backbones.base import Backbone
from sure.backbones.encoder_decoder import EncoderDecoder
from sure.backbones.huggingface import FromHuggingFace
from sure.errors import SureError


def family_of(backbone: Backbone) -> type[FromHuggingFace]:
    """The family of a backbone. Raises SureError if transformers has no such model."""
    family = type(backbone)
    if not isinstance(backbone, FromHuggingFace) or not hasattr(family, "huggingface_class"):
        name = family.__module__.rsplit(".", 1)[-1]
        raise SureError(f"the backbone {name} has no counterpart in transformers")
    return family


def class_of(backbone: Backbone) -> str:
    """The class of transformers that has the same network without a head; a decoder has its output map."""
    kind = "ForConditionalGeneration" if isinstance(backbone, EncoderDecoder) else "Model"
    return family_of(backbone).huggingface_class + kind


def prefix_of(backbone: Backbone) -> str:
    """What comes before the names of `Places` in that class."""
    return "model." if isinstance(backbone, EncoderDecoder) else ""


class Places:
    """Translates names of modules: our `layers.0.attn.q` is transformers' `encoder.layers.0.attention.q_proj`.

    Names in transformers are those of the model that AutoModel builds.
    """

    def __init__(self, backbone: Backbone):
        self.family = family_of(backbone)
        self._modules = dict(backbone.named_modules())
        self._paths = {id(module): path for path, module in self._modules.items()}

    def theirs(self, host: nn.Module) -> str:
        """The name in transformers of one of the backbone's modules."""
        return self.family.theirs(self._paths[id(host)])

    def host(self, name: str) -> nn.Module | None:
        """The backbone's module for a name in transformers, with or without a head's prefix; None if there is none."""
        parts = name.split(".")
        # the name itself; in a model with a head (wav2vec2.encoder...); in the bare encoder (layers.0...)
        for candidate in [*(".".join(parts[start:]) for start in range(len(parts))), f"encoder.{name}"]:
            ours = self.family.ours(candidate)
            if ours != candidate and ours in self._modules:
                return self._modules[ours]
        return None

    def called(self, host: nn.Module) -> bool:
        """Whether transformers calls this module; if it only reads the weights, an adapter has no effect."""
        return not self._paths[id(host)].endswith(self.family.huggingface_skips)
