"""Settings and tensor names of wav2vec 2.0 and related models in transformers and torchaudio."""

from typing import Any

import torch
from torch import Tensor

from sure.backbones.wav2vec2_shapes import CONVOLUTIONS, Shape
from sure.backbones.weights import Loadable
from sure.errors import SureError

NAMES = {
    "convolutions.blocks.#.convolution": "feature_extractor.conv_layers.#.conv",
    "convolutions.blocks.#.norm": "feature_extractor.conv_layers.#.layer_norm",
    "projection_norm": "feature_projection.layer_norm",
    "projection": "feature_projection.projection",
    "position.length": "encoder.pos_conv_embed.conv.parametrizations.weight.original0",
    "position.direction": "encoder.pos_conv_embed.conv.parametrizations.weight.original1",
    "position.bias": "encoder.pos_conv_embed.conv.bias",
    "position.layers.#": "encoder.pos_conv_embed.layers.#.conv",  # data2vec
    "norm": "encoder.layer_norm",
    "distance_bias.embedding": "encoder.layers.0.attention.rel_attn_embed",
    "layers.#.attn.q": "encoder.layers.#.attention.q_proj",
    "layers.#.attn.k": "encoder.layers.#.attention.k_proj",
    "layers.#.attn.v": "encoder.layers.#.attention.v_proj",
    "layers.#.attn.out": "encoder.layers.#.attention.out_proj",
    "layers.#.attn.gate.linear": "encoder.layers.#.attention.gru_rel_pos_linear",
    "layers.#.attn.gate.scale": "encoder.layers.#.attention.gru_rel_pos_const",
    "layers.#.attn_norm": "encoder.layers.#.layer_norm",
    "layers.#.ffn_in": "encoder.layers.#.feed_forward.intermediate_dense",
    "layers.#.ffn_out": "encoder.layers.#.feed_forward.output_dense",
    "layers.#.ffn_norm": "encoder.layers.#.final_layer_norm",
    "mask_embedding": "masked_spec_embed",
}
# Names of the weight of the position convolution in older files.
OLDER = {
    "encoder.pos_conv_embed.conv.weight_g": "encoder.pos_conv_embed.conv.parametrizations.weight.original0",
    "encoder.pos_conv_embed.conv.weight_v": "encoder.pos_conv_embed.conv.parametrizations.weight.original1",
}

# Our fields and the settings in config.json: required ones, and optional ones with their defaults.
SIZES = {
    "dim": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "ffn": "intermediate_size",
}
OPTIONS = {
    "convolution_bias": ("conv_bias", False),
    "norm_first": ("do_stable_layer_norm", False),
    "position_kernel": ("num_conv_pos_embeddings", 128),
    "position_groups": ("num_conv_pos_embedding_groups", 16),
    "eps": ("layer_norm_eps", 1e-5),
    "projection_norm": ("feat_proj_layer_norm", True),
    "max_distance": ("max_bucket_distance", 800),
}
CONVOLUTION = ("conv_dim", "conv_kernel", "conv_stride")
# Settings in config.json that change the computation, with the only supported value.
ONLY = {
    "hidden_act": "gelu",
    "feat_extract_activation": "gelu",
    "conv_pos_batch_norm": False,
    "add_adapter": False,
    "adapter_attn_dim": None,
}
# Prefixes of the encoder's tensors; those of heads, quantisers and projections of pretraining differ.
ENCODER = ("feature_extractor.", "feature_projection.", "encoder.", "masked_spec_embed")
MODELS = ("wav2vec2.", "hubert.", "wavlm.", "data2vec_audio.")  # prefix of the encoder in a model with a head
# Settings that one family alone has.
FAMILIES = {"feat_proj_layer_norm": "hubert", "num_buckets": "wavlm", "max_bucket_distance": "wavlm"}


class Wav2Vec2Weights(Loadable):
    """wav2vec 2.0 and the models built like it, in the files of transformers and torchaudio."""

    huggingface_names = NAMES
    huggingface_heads = True

    @classmethod
    def huggingface_shape(cls, config: dict[str, Any], preprocessor: dict[str, Any]) -> Shape:
        cls.require(config, ONLY)
        cls.require(preprocessor, {"sampling_rate": cls.sample_rate, "feature_size": 1}, "the feature extractor")
        layer_norm = config.get("feat_extract_norm", "group") == "layer"
        return Shape(
            **{field: config[key] for field, key in SIZES.items()},
            **{field: config.get(key, default) for field, (key, default) in OPTIONS.items()},
            convolutions=tuple(zip(*(config[key] for key in CONVOLUTION), strict=True)),
            norm="layer" if layer_norm else "group",
            # True where its file lacks the key, as in transformers; without a file, as the released models
            normalize_waveform=preprocessor.get("do_normalize", True) if preprocessor else layer_norm,
            buckets=config.get("num_buckets", 320) if config["model_type"] == "wavlm" else 0,
        )

    @classmethod
    def huggingface_config(cls, shape: Shape) -> dict[str, Any]:
        """Without waveform normalisation, which is in the preprocessor's settings."""
        family = cls.family_name()
        if not shape.projection_norm and family != "hubert":
            raise SureError(f"transformers does not support {family} without a norm before its projection")
        settings = {key: getattr(shape, field) for field, key in SIZES.items()}
        settings |= {key: getattr(shape, field) for field, (key, _) in OPTIONS.items()}
        settings |= zip(CONVOLUTION, map(list, zip(*shape.convolutions, strict=True)), strict=True)
        settings |= {"feat_extract_norm": shape.norm, "num_buckets": shape.buckets}
        return {key: value for key, value in settings.items() if FAMILIES.get(key, family) == family}

    @classmethod
    def huggingface_state(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        prefix = next((model for model in MODELS if any(name.startswith(model) for name in state)), "")
        inside = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
        found = {cls.ours(OLDER.get(name, name)): tensor for name, tensor in inside.items() if name.startswith(ENCODER)}
        if "mask_embedding" not in found and "norm.weight" in found:  # missing in models that never train with masks
            found["mask_embedding"] = torch.zeros_like(found["norm.weight"])
        return found

    @classmethod
    def bundle_shape(cls, parameters: dict[str, Any], normalize_waveform: bool) -> Shape:
        """The shape for the parameters of a torchaudio bundle."""
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

    @classmethod
    def bundle_state(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of a torchaudio encoder under our names; the fused q, k and v of WavLM are split."""
        renamed: dict[str, Tensor] = {}
        for name, tensor in state.items():
            name = name.removeprefix("model.").replace("encoder.transformer.", "encoder.")
            name = name.replace("encoder.feature_projection.", "feature_projection.")
            name = name.replace(".attention.attention.", ".attention.")
            if ".in_proj_" in name:
                parts = zip("qkv", tensor.chunk(3), strict=True)
                renamed |= {name.replace(".in_proj_", f".{letter}_proj."): part for letter, part in parts}
            else:
                renamed[name] = tensor
        return cls.huggingface_state(renamed)
