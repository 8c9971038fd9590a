"""Moonshine's encoder (arXiv 2410.15608), trained for English ASR: three convolutions and rotary layers."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sure.backbones.convolution import ConvolutionBlock, ConvolutionStack, GroupNorm
from sure.backbones.layers import Attention, Layer, LayerNorm
from sure.backbones.positions import rotary_angles
from sure.backbones.weights import Loadable
from sure.errors import SureError
from sure.frames import Frames

NAMES = {
    "convolutions.blocks.0.convolution": "encoder.conv1",
    "convolutions.blocks.0.norm": "encoder.groupnorm",
    "convolutions.blocks.1.convolution": "encoder.conv2",
    "convolutions.blocks.2.convolution": "encoder.conv3",
    "norm": "encoder.layer_norm",
    "layers.#.attn.q": "encoder.layers.#.self_attn.q_proj",
    "layers.#.attn.k": "encoder.layers.#.self_attn.k_proj",
    "layers.#.attn.v": "encoder.layers.#.self_attn.v_proj",
    "layers.#.attn.out": "encoder.layers.#.self_attn.o_proj",
    "layers.#.attn_norm": "encoder.layers.#.input_layernorm",
    "layers.#.ffn_in": "encoder.layers.#.mlp.fc1",
    "layers.#.ffn_out": "encoder.layers.#.mlp.fc2",
    "layers.#.ffn_norm": "encoder.layers.#.post_attention_layernorm",
}
SIZES = {  # our sizes -> settings in config.json
    "dim": "hidden_size",
    "layers": "encoder_num_hidden_layers",
    "heads": "encoder_num_attention_heads",
    "ffn": "intermediate_size",
}


@dataclass(frozen=True)
class Shape:
    """Sizes of a Moonshine encoder; the tiny-en model by default."""

    dim: int = 288
    layers: int = 6
    heads: int = 8
    ffn: int = 1152
    rotary_share: float = 0.9  # fraction of the channels of a head that are rotated
    rotary_base: float = 10000.0
    kernels: tuple[int, ...] = (127, 7, 3)
    strides: tuple[int, ...] = (64, 3, 2)


class Family(Loadable):
    huggingface_class = "Moonshine"
    huggingface_names = NAMES
    shapes = {
        "tiny_en": Shape(),
        "base_en": Shape(dim=416, layers=8, ffn=1664, rotary_share=0.62),
        "tiny": Shape(dim=32, layers=3, heads=4, ffn=64, kernels=(31, 7, 3), strides=(16, 3, 2)),
    }

    def __init__(self, shape: Shape, padding: str = "masked"):
        super().__init__()
        self.shape = shape
        self.dim = dim = shape.dim
        first, second, third = zip(shape.kernels, shape.strides, strict=True)
        self.convolutions = ConvolutionStack(
            ConvolutionBlock(1, dim, *first, False, GroupNorm(1, dim, mode=padding), tanh_first=True),
            ConvolutionBlock(dim, 2 * dim, *second, True),
            ConvolutionBlock(2 * dim, dim, *third, True),
        )
        self.layers = nn.ModuleList(
            Layer(Attention(dim, shape.heads, bias=False), dim, shape.ffn, norm_first=True, norm_bias=False)
            for _ in range(shape.layers)
        )
        self.norm = LayerNorm(dim, bias=False)

    def front(self, waves: Tensor, lengths: Tensor) -> Tensor:
        return self.convolutions(waves[:, None], lengths)

    def context(self, hidden: Tensor, frames: Frames) -> dict[str, object]:
        shape = self.shape
        width = int(shape.dim // shape.heads * shape.rotary_share) // 2 * 2
        return {"rotary": rotary_angles(hidden.shape[1], width, hidden.device, shape.rotary_base)}

    @classmethod
    def huggingface_shape(cls, config: dict[str, Any], preprocessor: dict[str, Any]) -> Shape:
        rotary = config.get("rope_parameters") or config.get("rope_scaling") or {}
        heads = config[SIZES["heads"]]
        groups = {"encoder_num_key_value_heads": config.get("encoder_num_key_value_heads") or heads}
        only = {"encoder_hidden_act": "gelu", "attention_bias": False, "encoder_num_key_value_heads": heads}
        cls.require({**config, **groups}, only)
        for settings in (rotary, config.get("rope_scaling") or {}):
            cls.require({"rope_type": settings.get("type", "default"), **settings}, {"rope_type": "default"})
        extractor = (
            {"do_normalize": True, **preprocessor} if preprocessor else {}
        )  # True is the default of transformers
        cls.require(extractor, {"sampling_rate": cls.sample_rate, "do_normalize": False}, "the feature extractor")
        shape = Shape(
            **{field: config[key] for field, key in SIZES.items()},
            rotary_share=rotary.get("partial_rotary_factor", config.get("partial_rotary_factor", 0.9)),
            rotary_base=rotary.get("rope_theta", config.get("rope_theta", 10000.0)),
        )
        if int(shape.dim // shape.heads * shape.rotary_share) % 2:  # transformers rounds it up, the original down
            raise SureError(f"moonshine: the share {shape.rotary_share} of a head is an odd number of rotated values")
        return shape

    @classmethod
    def huggingface_config(cls, shape: Shape) -> dict[str, Any]:
        """Settings of an encoder with a decoder without layers, as SURE has no decoder."""
        if (shape.kernels, shape.strides) != (Shape.kernels, Shape.strides):
            raise SureError(f"transformers' Moonshine has the kernels {Shape.kernels}, this backbone {shape.kernels}")
        rotary = {"partial_rotary_factor": shape.rotary_share, "rope_theta": shape.rotary_base}
        return {
            **{key: getattr(shape, field) for field, key in SIZES.items()},
            "decoder_num_hidden_layers": 0,
            "decoder_num_attention_heads": shape.heads,
            "rope_parameters": {"rope_type": "default", **rotary},
        }
