"""Moonshine with its decoder (arXiv 2410.15608): English speech to text."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from sure.backbones import moonshine
from sure.backbones.decoder_layers import DecoderLayer
from sure.backbones.encoder_decoder import Decoder, EncoderDecoder
from sure.backbones.layers import LayerNorm
from sure.backbones.positions import Rotary, rotary_angles

NAMES = {f"encoder.{ours}": theirs for ours, theirs in moonshine.NAMES.items()} | {
    "decoder.tokens": "decoder.embed_tokens",
    "decoder.norm": "decoder.norm",
    "decoder.layers.#.attn.q": "decoder.layers.#.self_attn.q_proj",
    "decoder.layers.#.attn.k": "decoder.layers.#.self_attn.k_proj",
    "decoder.layers.#.attn.v": "decoder.layers.#.self_attn.v_proj",
    "decoder.layers.#.attn.out": "decoder.layers.#.self_attn.o_proj",
    "decoder.layers.#.attn_norm": "decoder.layers.#.input_layernorm",
    "decoder.layers.#.cross.q": "decoder.layers.#.encoder_attn.q_proj",
    "decoder.layers.#.cross.k": "decoder.layers.#.encoder_attn.k_proj",
    "decoder.layers.#.cross.v": "decoder.layers.#.encoder_attn.v_proj",
    "decoder.layers.#.cross.out": "decoder.layers.#.encoder_attn.o_proj",
    "decoder.layers.#.cross_norm": "decoder.layers.#.post_attention_layernorm",
    "decoder.layers.#.ffn_in": "decoder.layers.#.mlp.fc1",
    "decoder.layers.#.ffn_out": "decoder.layers.#.mlp.fc2",
    "decoder.layers.#.ffn_norm": "decoder.layers.#.final_layernorm",
}
SIZES = {  # our sizes -> settings in config.json
    **moonshine.SIZES,
    "decoder_layers": "decoder_num_hidden_layers",
    "decoder_heads": "decoder_num_attention_heads",
    "vocabulary": "vocab_size",
    "max_tokens": "max_position_embeddings",
}


@dataclass(frozen=True)
class Shape(moonshine.Shape):
    """Sizes of a Moonshine model; the tiny-en model by default."""

    decoder_layers: int = 6
    decoder_heads: int = 8
    vocabulary: int = 32768
    max_tokens: int = 512


class Recognizer(EncoderDecoder):
    shapes: ClassVar = {
        "tiny_en": Shape(),
        "base_en": Shape(dim=416, layers=8, ffn=1664, rotary_share=0.62, decoder_layers=8),
        "tiny": Shape(32, 3, 4, 64, kernels=(31, 7, 3), strides=(16, 3, 2), decoder_layers=2, decoder_heads=4),
    }
    huggingface_class = "Moonshine"
    huggingface_names: ClassVar = NAMES

    def __init__(self, shape: Shape, padding: str = "masked"):
        super().__init__()
        self.shape = shape
        self.dim = dim = shape.dim
        self.encoder = moonshine.Family(shape, padding)
        layers = nn.ModuleList(
            DecoderLayer(dim, shape.decoder_heads, shape.ffn, bias=False, norm_bias=False, gated=True)
            for _ in range(shape.decoder_layers)
        )
        self.decoder = Decoder(shape.vocabulary, layers, LayerNorm(dim, bias=False), dim)

    @classmethod
    def huggingface_shape(cls, config: dict[str, Any], preprocessor: dict[str, Any]) -> Shape:
        encoder = moonshine.Family.huggingface_shape(config, preprocessor)  # checks the settings of the encoder
        groups = config.get("decoder_num_key_value_heads") or config[SIZES["decoder_heads"]]
        cls.require(
            {**config, "decoder_num_key_value_heads": groups},
            {
                "decoder_hidden_act": "silu",
                "decoder_num_key_value_heads": config[SIZES["decoder_heads"]],
                "tie_word_embeddings": True,
            },
        )
        sizes = {field: config[key] for field, key in SIZES.items()}
        return Shape(**{**vars(encoder), **sizes})

    @classmethod
    def huggingface_config(cls, shape: Shape) -> dict[str, Any]:
        sizes = {key: getattr(shape, field) for field, key in SIZES.items()}
        return {**moonshine.Family.huggingface_config(shape), **sizes}

    @property
    def max_tokens(self) -> int:
        return self.shape.max_tokens

    def rotary(self, tokens: int, device: torch.device) -> Rotary:
        shape = self.shape
        width = int(shape.dim // shape.decoder_heads * shape.rotary_share) // 2 * 2
        return rotary_angles(tokens, width, device, shape.rotary_base)
