"""The readout and the task's head in a file of their own, for formats without them (PEFT, bare transformers models)."""

from __future__ import annotations

import safetensors.torch

from sure.models.recognition import RecognitionModel

FILE = "sure_head.safetensors"


def head_file(model: RecognitionModel) -> bytes:
    """The tensors of readout and head as safetensors, by their names in a bundle."""
    kept = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in model.state().items()
        if name.startswith(("head/", "readout/"))
    }
    readout = "weighted sum of all layers" if model.attachment.reads_all_taps() else "the last layer"
    return safetensors.torch.save(kept, {"reads": readout})
