"""Whisper with its decoder (arXiv 2212.04356): speech to text, and in its multilingual sizes to English text."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sure.backbones import whisper
from sure.backbones.decoder_layers import DecoderLayer
from sure.backbones.encoder_decoder import Decoder, EncoderDecoder
from sure.backbones.layers import LayerNorm

NAMES = {f"encoder.{ours}": theirs for ours, theirs in whisper.NAMES.items()} | {
    "decoder.tokens": "decoder.embed_tokens",
    "decoder.positions": "decoder.embed_positions",
    "decoder.norm": "decoder.layer_norm",
    "decoder.layers.#.attn.q": "decoder.layers.#.self_attn.q_proj",
    "decoder.layers.#.attn.k": "decoder.layers.#.self_attn.k_proj",
    "decoder.layers.#.attn.v": "decoder.layers.#.self_attn.v_proj",
    "decoder.layers.#.attn.out": "decoder.layers.#.self_attn.out_proj",
    "decoder.layers.#.attn_norm": "decoder.layers.#.self_attn_layer_norm",
    "decoder.layers.#.cross.q": "decoder.layers.#.encoder_attn.q_proj",
    "decoder.layers.#.cross.k": "decoder.layers.#.encoder_attn.k_proj",
    "decoder.layers.#.cross.v": "decoder.layers.#.encoder_attn.v_proj",
    "decoder.layers.#.cross.out": "decoder.layers.#.encoder_attn.out_proj",
    "decoder.layers.#.cross_norm": "decoder.layers.#.encoder_attn_layer_norm",
    "decoder.layers.#.ffn_in": "decoder.layers.#.fc1",
    "decoder.layers.#.ffn_out": "decoder.layers.#.fc2",
    "decoder.layers.#.ffn_norm": "decoder.layers.#.final_layer_norm",
}
SIZES = {  # our sizes -> settings in config.json
    **whisper.SIZES,
    "decoder_layers": "decoder_layers",
    "decoder_heads": "decoder_attention_heads",
    "decoder_ffn": "decoder_ffn_dim",
    "vocabulary": "vocab_size",
    "max_tokens": "max_target_positions",
}


@dataclass(frozen=True)
class Shape(whisper.Shape):
    """Sizes of a Whisper model; tiny.en by default."""

    decoder_layers: int = 4
    decoder_heads: int = 6
    decoder_ffn: int = 1536
    vocabulary: int = 51864
    max_tokens: int = 448


def size(name: str, vocabulary: int, decoder_layers: int | None = None) -> Shape:
    """The shape with an encoder of this size and a decoder with layers like those of the encoder."""
    encoder = whisper.Family.shapes[name]
    own = {field.name: getattr(encoder, field.name) for field in fields(encoder)}
    layers = decoder_layers or encoder.layers
    return Shape(
        **own, decoder_layers=layers, decoder_heads=encoder.heads, decoder_ffn=encoder.ffn, vocabulary=vocabulary
    )


class Recognizer(EncoderDecoder):
    """Encoder and decoder of Whisper.

    With `padding: as_trained`, the decoder attends to 30 s for utterances of any length, as in the original.
    """

    shapes: ClassVar = {
        "tiny_en": size("tiny", 51864),
        "tiny": size("tiny", 51865),
        "base": size("base", 51865),
        "small": size("small", 51865),
        "medium": size("medium", 51865),
        "large": size("large", 51865),
        "large_v3": size("large_v3", 51866),
        "large_v3_turbo": size("large_v3", 51866, decoder_layers=4),
        "toy": size("toy", 300, decoder_layers=2),
    }
    fixed_parameters = ("encoder.positions.table",)
    usual_padding = "as_trained"  # its decoder was trained on 30 s and repeats itself after less
    huggingface_class = "Whisper"
    huggingface_names: ClassVar = NAMES

    def __init__(self, shape: Shape, padding: str = "masked"):
        super().__init__()
        self.shape = shape
        self.dim = dim = shape.dim
        self.encoder = whisper.Family(shape, padding)
        layers = nn.ModuleList(
            DecoderLayer(dim, shape.decoder_heads, shape.decoder_ffn, key_bias=False)
            for _ in range(shape.decoder_layers)
        )
        self.decoder = Decoder(shape.vocabulary, layers, LayerNorm(dim), dim, shape.max_tokens)

    @classmethod
    def huggingface_shape(cls, config: dict[str, Any], preprocessor: dict[str, Any]) -> Shape:
        whisper.Family.huggingface_shape(config, preprocessor)  # checks the settings of the encoder
        cls.require(config, {"scale_embedding": False, "tie_word_embeddings": True})
        return Shape(**{field: config[key] for field, key in SIZES.items()})

    @classmethod
    def huggingface_config(cls, shape: Shape) -> dict[str, Any]:
        return {key: getattr(shape, field) for field, key in SIZES.items()}

    @property
    def max_tokens(self) -> int:
        return self.shape.max_tokens

    def memory_lengths(self, samples: Tensor) -> Tensor:
        if self.encoder.whole:
            return torch.full_like(samples, self.shape.positions)
        return super().memory_lengths(samples)
