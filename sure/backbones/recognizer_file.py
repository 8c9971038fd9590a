"""The encoder in the file of a recogniser, which a family without its decoder reads too."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

RECOGNIZER = "_recognizer"  # end of the name of the file of a family's encoder with its decoder
WHOLE = "fetch it again with tools/fetch_backbone.py, which adds the decoder, or use a task with CTC (--head ctc)"
TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}  # names in safetensors files


def encoder_alone(about: dict[str, Any], state: dict[str, Tensor], example: Any) -> tuple[dict, dict[str, Tensor]]:
    """Metadata and tensors of the encoder in those of a recogniser, as in the encoder's own file.

    example: a shape of the encoder.
    """
    keys = {field.name for field in dataclasses.fields(example)}
    shape = about.get("shape")
    own = {key: value for key, value in shape.items() if key in keys} if isinstance(shape, dict) else shape
    inside = {name.removeprefix("encoder."): state[name] for name in state if name.startswith("encoder.")}
    return {"family": about["family"].removesuffix(RECOGNIZER), "shape": own}, inside


def sha256_of_content(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """The digest of the .safetensors file with these tensors, all of one type, without writing it.

    So the encoder of a recogniser has the digest of the encoder's own file, which bundles name.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name in sorted(state):
        end = offset + state[name].nbytes
        kind = TYPES.get(state[name].dtype, "F32")
        header[name] = {"dtype": kind, "shape": list(state[name].shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256(len(text).to_bytes(8, "little") + text)
    for name in sorted(state):
        digest.update(state[name].contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
