"""Files of an export: JSON, tensors, and readout and head for formats without them (PEFT, bare transformers models)."""

import json
from collections.abc import Mapping
from typing import Any

import safetensors.torch
from torch import Tensor

from sure.models.base import AdaptedModel

HEAD = "sure_head.safetensors"


def json_file(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()


def tensor_file(tensors: Mapping[str, Tensor], **about: str) -> bytes:
    """Tensors, also views and those on other devices, as safetensors with metadata."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return safetensors.torch.save(plain, about)


def head_file(model: AdaptedModel) -> bytes | None:
    """The tensors of readout and head as safetensors, by their names in a bundle; None for a model without."""
    kept = {name: tensor for name, tensor in model.state().items() if name.startswith(("head/", "readout/"))}
    if not kept:
        return None
    reads_all = model.attachment.reads_all_taps()
    return tensor_file(kept, reads="weighted sum of all layers" if reads_all else "the last layer")
