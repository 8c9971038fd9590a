"""Whisper's encoder (arXiv 2212.04356), trained for ASR: log-mel spectrogram, two convolutions, pre-norm layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sure import SAMPLE_RATE
from sure.backbones.base import Encoded, Site
from sure.backbones.convolution import ConvolutionBlock, ConvolutionStack
from sure.backbones.layers import Attention, Layer, LayerNorm
from sure.backbones.positions import Sinusoids
from sure.backbones.renaming import Names
from sure.backbones.weights import Loadable
from sure.backbones.whisper_mel import HOP, WINDOW, log_mel
from sure.errors import SureError
from sure.frames import Frames

NAMES = Names(
    {
        "convolutions.blocks.0.convolution": "encoder.conv1",
        "convolutions.blocks.1.convolution": "encoder.conv2",
        "positions.table": "encoder.embed_positions.weight",
        "norm": "encoder.layer_norm",
        "layers.#.attn.q": "encoder.layers.#.self_attn.q_proj",
        "layers.#.attn.k": "encoder.layers.#.self_attn.k_proj",
        "layers.#.attn.v": "encoder.layers.#.self_attn.v_proj",
        "layers.#.attn.out": "encoder.layers.#.self_attn.out_proj",
        "layers.#.attn_norm": "encoder.layers.#.self_attn_layer_norm",
        "layers.#.ffn_in": "encoder.layers.#.fc1",
        "layers.#.ffn_out": "encoder.layers.#.fc2",
        "layers.#.ffn_norm": "encoder.layers.#.final_layer_norm",
    }
)
# Settings of the feature extractor, with the only value that is supported.
EXTRACTOR = {"sampling_rate": SAMPLE_RATE, "n_fft": WINDOW, "hop_length": HOP, "dither": 0.0}


@dataclass(frozen=True)
class Shape:
    """Sizes of a Whisper encoder; tiny by default."""

    dim: int = 384
    layers: int = 4
    heads: int = 6
    ffn: int = 1536
    mel_bins: int = 80
    positions: int = 1500  # maximum number of frames of an utterance, 20 ms each


class Family(Loadable):
    """Whisper's encoder on utterances of their own length; the original pads each to 30 s with silence.

    The spectrogram of `n` samples is that of the original feature extractor without padding: reflected at both ends,
    n // 160 frames, of which the second convolution leaves half, rounded up. Attention is over these frames.
    With `padding: as_trained`, 30 s are computed and attended to, silence included, as in the original; the frames
    of the result are still those of the utterances.
    """

    shapes: ClassVar[Mapping[str, Shape]] = {
        "tiny_en": Shape(),
        "tiny": Shape(),
        "base": Shape(dim=512, layers=6, heads=8, ffn=2048),
        "small": Shape(dim=768, layers=12, heads=12, ffn=3072),
        "medium": Shape(dim=1024, layers=24, heads=16, ffn=4096),
        "large": Shape(dim=1280, layers=32, heads=20, ffn=5120),
        "large_v3": Shape(dim=1280, layers=32, heads=20, ffn=5120, mel_bins=128),
        "toy": Shape(dim=32, layers=3, heads=4, ffn=64),
    }
    fixed_parameters = ("positions.table",)
    huggingface_class = "Whisper"
    huggingface_names = NAMES

    def __init__(self, shape: Shape, padding: str = "masked"):
        super().__init__()
        self.shape = shape
        self.dim = dim = shape.dim
        self.whole = padding == "as_trained"  # computes 30 s, whatever the length
        self.convolutions = ConvolutionStack(
            [
                ConvolutionBlock(shape.mel_bins, dim, 3, 1, True, padding=1),
                ConvolutionBlock(dim, dim, 3, 2, True, padding=1),
            ]
        )
        self.max_samples = shape.positions * 2 * HOP
        self.positions = Sinusoids(shape.positions, dim)
        self.layers = nn.ModuleList(
            Layer(Attention(dim, shape.heads, key_bias=False), dim, shape.ffn, norm_first=True)
            for _ in range(shape.layers)
        )
        self.norm = LayerNorm(dim)

    def frame_count(self, samples: Tensor) -> Tensor:
        return self.convolutions.frame_count(samples // HOP)

    def front(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Raises SureError for an utterance of more than 30 s, which would be cut."""
        seconds = int(lengths.max()) / SAMPLE_RATE
        if seconds > self.max_seconds:
            raise SureError(f"an utterance has {seconds:g} s, more than the {self.max_seconds:g} s of whisper; cut it")
        waves = waves[:, : self.max_samples]
        if self.whole:
            waves = nn.functional.pad(waves, (0, self.max_samples - waves.shape[1]))
            lengths = torch.full_like(lengths, self.max_samples)
        return self.positions(self.convolutions(log_mel(waves, lengths, self.shape.mel_bins), lengths // HOP))

    def convolution_sites(self) -> Iterator[Site]:
        return self.convolutions.sites()

    def resume(self, taps: list[Tensor | None], lengths: Tensor, stop: int | None = None) -> Encoded:
        computed = torch.full_like(lengths, self.shape.positions) if self.whole else lengths
        taps = super().resume(taps, computed, stop).taps
        return Encoded(taps, Frames(lengths, taps[-1].shape[1]))

    def finish(self, hidden: Tensor) -> Tensor:
        return self.norm(hidden)

    @classmethod
    def huggingface_shape(cls, config: dict[str, Any], preprocessor: dict[str, Any]) -> Shape:
        for source, settings, key, wanted in (
            ("config.json", config, "activation_function", "gelu"),
            *(("preprocessor_config.json", preprocessor, key, value) for key, value in EXTRACTOR.items()),
        ):
            if settings.get(key, wanted) != wanted:
                raise SureError(f"whisper: {source} has {key}={settings[key]!r}; only {wanted!r} is supported")
        return Shape(
            dim=config["d_model"],
            layers=config["encoder_layers"],
            heads=config["encoder_attention_heads"],
            ffn=config["encoder_ffn_dim"],
            mel_bins=config["num_mel_bins"],
            positions=config["max_source_positions"],
        )

    @classmethod
    def huggingface_config(cls, shape: Shape) -> dict[str, Any]:
        """Settings of an encoder with a decoder without layers, as SURE has no decoder."""
        return {
            "d_model": shape.dim,
            "encoder_layers": shape.layers,
            "encoder_attention_heads": shape.heads,
            "encoder_ffn_dim": shape.ffn,
            "num_mel_bins": shape.mel_bins,
            "max_source_positions": shape.positions,
            "decoder_layers": 0,
            "decoder_attention_heads": shape.heads,
        }

    @classmethod
    def huggingface_preprocessor(cls, shape: Shape) -> dict[str, Any]:
        seconds = shape.positions * 2 * HOP // SAMPLE_RATE
        known = {"feature_size": shape.mel_bins, "chunk_length": seconds, "return_attention_mask": False}
        return {"feature_extractor_type": "WhisperFeatureExtractor", "padding_value": 0.0, **EXTRACTOR, **known}

    def huggingface_differences(self) -> list[str]:
        short = "transformers pads every utterance to 30 s with silence, SURE trained without this padding"
        return [] if self.whole else [f"{short}; backbone.padding=as_trained trains with it"]

    @classmethod
    def huggingface_state(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        prefix = next((p for p in ("model.encoder.", "encoder.") if f"{p}conv1.weight" in state), "")
        inside = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
        return {NAMES.ours(f"encoder.{name}"): tensor for name, tensor in inside.items()}
