"""How Hugging Face and torchaudio write down wav2vec 2.0 and its kin: settings and tensor names."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sure.backbones.huggingface import rename
from sure.backbones.shapes import CONVOLUTIONS, Shape
from sure.errors import SureError

# Hugging Face's -> ours, applied one after the other.
NAMES = (
    (r"^feature_extractor\.conv_layers\.(\d+)\.conv\.", r"convolutions.blocks.\1.convolution."),
    (r"^feature_extractor\.conv_layers\.(\d+)\.layer_norm\.", r"convolutions.blocks.\1.norm."),
    (r"^feature_projection\.layer_norm\.", "projection_norm."),
    (r"^feature_projection\.projection\.", "projection."),
    (r"^encoder\.pos_conv_embed\.conv\.(weight_g|parametrizations\.weight\.original0)$", "position.length"),
    (
        r"^encoder\.pos_conv_embed\.conv\.(weight_v|parametrizations\.weight\.original1)$",
        "position.direction",
    ),
    (r"^encoder\.pos_conv_embed\.conv\.bias$", "position.bias"),
    (r"^encoder\.pos_conv_embed\.layers\.(\d+)\.conv\.", r"position.layers.\1."),
    (r"^encoder\.layer_norm\.", "norm."),
    (r"^encoder\.layers\.0\.attention\.rel_attn_embed\.", "distance_bias.embedding."),
    (r"^encoder\.layers\.", "layers."),
    (r"\.attention\.([qkv]|out)_proj\.", r".attn.\1."),
    (r"\.attention\.gru_rel_pos_linear\.", ".attn.gate.linear."),
    (r"\.attention\.gru_rel_pos_const$", ".attn.gate.scale"),
    (r"^(layers\.\d+)\.layer_norm\.", r"\1.attn_norm."),
    (r"\.feed_forward\.intermediate_dense\.", ".ffn_in."),
    (r"\.feed_forward\.output_dense\.", ".ffn_out."),
    (r"^(layers\.\d+)\.final_layer_norm\.", r"\1.ffn_norm."),
    (r"^masked_spec_embed$", "mask_embedding"),
)


# Hugging Face settings that change the computation, with the one value that our layers compute.
ONLY = {
    "hidden_act": "gelu",
    "feat_extract_activation": "gelu",
    "conv_pos_batch_norm": False,
    "add_adapter": False,
    "adapter_attn_dim": None,
}
# What a wav2vec 2.0 encoder is made of; heads, quantisers and projections of pretraining are named otherwise.
ENCODER = ("feature_extractor.", "feature_projection.", "encoder.", "masked_spec_embed")
MODELS = ("wav2vec2.", "hubert.", "wavlm.", "data2vec_audio.")  # where the encoder is in a model with a head


def huggingface_shape(config: dict[str, Any], preprocessor: dict[str, Any]) -> Shape:
    """The shape that config.json describes. Raises SureError for what our layers do not compute."""
    for key, value in ONLY.items():
        if config.get(key, value) != value:
            raise SureError(f"config.json has {key}={config[key]!r}; only {value!r} is supported")
    layer_norm = config.get("feat_extract_norm", "group") == "layer"
    get = config.get
    return Shape(
        dim=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        ffn=config["intermediate_size"],
        convolutions=tuple(zip(config["conv_dim"], config["conv_kernel"], config["conv_stride"], strict=True)),
        convolution_bias=get("conv_bias", False),
        norm="layer" if layer_norm else "group",
        norm_first=get("do_stable_layer_norm", False),
        # without a preprocessor's word, as trained: models with layer norms had normalised waveforms
        normalize_waveform=preprocessor.get("do_normalize", layer_norm),
        position_kernel=get("num_conv_pos_embeddings", 128),
        position_groups=get("num_conv_pos_embedding_groups", 16),
        eps=get("layer_norm_eps", 1e-5),
        projection_norm=get("feat_proj_layer_norm", True),
        buckets=get("num_buckets", 320) if config["model_type"] == "wavlm" else 0,
        max_distance=get("max_bucket_distance", 800),
    )


def bundle_shape(parameters: dict[str, Any], normalize_waveform: bool) -> Shape:
    """The shape that a torchaudio bundle's parameters describe."""
    return Shape(
        dim=parameters["encoder_embed_dim"],
        layers=parameters["encoder_num_layers"],
        heads=parameters["encoder_num_heads"],
        ffn=parameters["encoder_ff_interm_features"],
        convolutions=tuple(parameters["extractor_conv_layer_config"] or CONVOLUTIONS),
        convolution_bias=parameters["extractor_conv_bias"],
        norm="layer" if parameters["extractor_mode"] == "layer_norm" else "group",
        norm_first=parameters["encoder_layer_norm_first"],
        normalize_waveform=normalize_waveform,
        position_kernel=parameters["encoder_pos_conv_kernel"],
        position_groups=parameters["encoder_pos_conv_groups"],
        buckets=parameters.get("encoder_num_buckets", 0),
        max_distance=parameters.get("encoder_max_distance", 800),
    )


def huggingface_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's tensors under our names."""
    prefix = next((model for model in MODELS if any(name.startswith(model) for name in state)), "")
    inside = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    found = {rename(name, NAMES): tensor for name, tensor in inside.items() if name.startswith(ENCODER)}
    if "mask_embedding" not in found and "norm.weight" in found:  # a model that is never trained with masks has none
        found["mask_embedding"] = torch.zeros_like(found["norm.weight"])
    return found


def bundle_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A torchaudio encoder's tensors under our names; WavLM's fused q, k and v are taken apart."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        name = name.removeprefix("model.")
        name = name.replace("encoder.transformer.", "encoder.").replace(
            "encoder.feature_projection.", "feature_projection."
        )
        name = name.replace(".attention.attention.", ".attention.")
        if ".in_proj_" in name:
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                renamed[name.replace(".in_proj_", f".{letter}_proj.")] = part
        else:
            renamed[name] = tensor
    return huggingface_state(renamed)
