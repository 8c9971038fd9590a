"""What neither PEFT nor a bare transformers model has a place for: the readout and the task's head."""

from __future__ import annotations

import safetensors.torch

from sure.models.recognition import RecognitionModel

FILE = "sure_head.safetensors"


def head_file(model: RecognitionModel) -> bytes:
    """The readout's and the head's tensors, by the names that a bundle has."""
    kept = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in model.state().items()
        if name.startswith(("head/", "readout/"))
    }
    readout = "weighted sum of all layers" if model.attachment.reads_all_taps() else "the last layer"
    return safetensors.torch.save(kept, {"reads": readout})
