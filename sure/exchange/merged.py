"""The tensors of a backbone with its methods merged into the weights, by transformers' names."""

import torch
from torch import Tensor

from sure import registry
from sure.backbones.huggingface import FromHuggingFace
from sure.errors import SureError
from sure.exchange.family import class_of
from sure.models.base import AdaptedModel


@torch.no_grad()
def merged_state(model: AdaptedModel, family: type[FromHuggingFace]) -> dict[str, Tensor]:
    """The merged backbone's tensors under transformers' names."""
    backbone = model.backbone
    if model.attachment.built():
        try:
            model.attachment.merge()
        except SureError as error:
            able = [name for name in registry.names("petl") if registry.find("petl", name).mergeable]
            raise SureError(
                f"{error}, and transformers has no module for it. Methods that can be exported: {', '.join(able)}, and "
                "those that train the backbone's own weights"
            ) from None
    state = backbone.state_dict()
    if added := sorted(state.keys() - model.attachment.backbone_parameters.keys()):
        methods = ", ".join(model.attachment.keyed)
        raise SureError(
            f"petl ({methods}): transformers' {class_of(backbone)} does not have {len(added)} tensors "
            f"that merging adds ({', '.join(added[:3])}); choose sites with a bias, or use sure.bin.infer"
        )
    return {family.theirs(name): tensor for name, tensor in state.items()}
