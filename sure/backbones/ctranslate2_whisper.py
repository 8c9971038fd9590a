"""Tensors of a Whisper model of CTranslate2 under their names in transformers."""

import re
from pathlib import Path

from torch import Tensor

from sure.backbones.ctranslate2 import read_ctranslate2
from sure.errors import SureError

# Patterns from CTranslate2 names to transformers names, applied in this order.
NAMES = (
    (r"position_encodings/encodings$", "embed_positions.weight"),
    (r"^decoder/embeddings/", "decoder/embed_tokens/"),
    (r"/layer_(\d+)/", r"/layers/\1/"),
    (r"/self_attention/([qkv]_proj)/", r"/self_attn/\1/"),
    (r"/self_attention/layer_norm/", "/self_attn_layer_norm/"),
    (r"/self_attention/linear_1/", "/self_attn/out_proj/"),
    (r"/attention/([qkv]_proj)/", r"/encoder_attn/\1/"),
    (r"/attention/layer_norm/", "/encoder_attn_layer_norm/"),
    (r"/attention/linear_0/", "/encoder_attn/q_proj/"),
    (r"/attention/linear_2/", "/encoder_attn/out_proj/"),
    (r"/ffn/layer_norm/", "/final_layer_norm/"),
    (r"/ffn/linear_0/", "/fc1/"),
    (r"/ffn/linear_1/", "/fc2/"),
    (r"/", "."),
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
)
FUSED = {"/self_attention/linear_0/": "qkv", "/attention/linear_1/": "kv"}  # several linear maps in one


def whisper_tensors(source: Path) -> dict[str, Tensor]:
    """The tensors of a model.bin by Hugging Face name (`encoder.conv1.weight`), in float32, with separate q, k and v.

    Raises SureError as `read_ctranslate2`, and for keys with a bias, which Whisper does not have.
    """
    found = {}
    for name, tensor in read_ctranslate2(source, "WhisperSpec").items():
        if not tensor.is_floating_point():  # a setting
            continue
        part, letters = next(((part, letters) for part, letters in FUSED.items() if part in name), ("", ""))
        if not letters:
            found[_huggingface_name(name)] = tensor.float()
            continue
        attention = part[: part.index("/", 1)]
        for letter, one in zip(letters, tensor.float().chunk(len(letters)), strict=True):
            found[_huggingface_name(name.replace(part, f"{attention}/{letter}_proj/"))] = one
    for name in [name for name in found if name.endswith(".k_proj.bias")]:  # exists only in the fused map
        if found.pop(name).any():
            raise SureError(f"{source}: {name} is not zero, but Whisper's keys have no bias")
    return found


def _huggingface_name(name: str) -> str:
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name
