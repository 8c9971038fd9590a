"""Whisper's encoder (arXiv 2212.04356), trained for ASR: log-mel spectrogram, two convolutions, pre-norm layers."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from sure import SAMPLE_RATE
from sure.backbones.base import Encoded
from sure.backbones.convolution import ConvolutionBlock, ConvolutionStack
from sure.backbones.layers import Attention, Layer, LayerNorm
from sure.backbones.positions import Sinusoids
from sure.backbones.weights import Loadable
from sure.errors import SureError
from sure.frames import Frames

WINDOW = 400  # samples
HOP = 160  # samples
SMALLEST = 1e-10  # power
RANGE = 8.0  # of an utterance, from its loudest value down, in powers of ten

NAMES = {
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
SIZES = {  # our sizes -> settings in config.json
    "dim": "d_model",
    "layers": "encoder_layers",
    "heads": "encoder_attention_heads",
    "ffn": "encoder_ffn_dim",
    "mel_bins": "num_mel_bins",
    "positions": "max_source_positions",
}
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

    shapes = {
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
        self.whole = padding == "as_trained"  # computes 30 s for utterances of any length
        self.convolutions = ConvolutionStack(
            ConvolutionBlock(shape.mel_bins, dim, 3, 1, True, padding=1),
            ConvolutionBlock(dim, dim, 3, 2, True, padding=1),
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
        exporting = torch.compiler.is_exporting()  # then lengths have no values; a graph refuses longer waves itself
        if not exporting and (seconds := int(lengths.max()) / SAMPLE_RATE) > self.max_seconds:
            raise SureError(f"an utterance has {seconds:g} s, more than the {self.max_seconds:g} s of whisper; cut it")
        waves = waves[:, : self.max_samples]
        if self.whole:
            waves = nn.functional.pad(waves, (0, self.max_samples - waves.shape[1]))
            lengths = torch.full_like(lengths, self.max_samples)
        return self.positions(self.convolutions(log_mel(waves, lengths, self.shape.mel_bins), lengths // HOP))

    def resume(self, taps: list[Tensor | None], lengths: Tensor, stop: int | None = None) -> Encoded:
        computed = torch.full_like(lengths, self.shape.positions) if self.whole else lengths
        taps = super().resume(taps, computed, stop).taps
        return Encoded(taps, Frames(lengths, taps[-1].shape[1]))

    @classmethod
    def huggingface_shape(cls, config: dict[str, Any], preprocessor: dict[str, Any]) -> Shape:
        cls.require(config, {"activation_function": "gelu"})
        cls.require(preprocessor, EXTRACTOR, "the feature extractor")
        return Shape(**{field: config[key] for field, key in SIZES.items()})

    @classmethod
    def huggingface_config(cls, shape: Shape) -> dict[str, Any]:
        """Settings of an encoder with a decoder without layers, as SURE has no decoder."""
        sizes = {key: getattr(shape, field) for field, key in SIZES.items()}
        return {**sizes, "decoder_layers": 0, "decoder_attention_heads": shape.heads}

    @classmethod
    def huggingface_preprocessor(cls, shape: Shape) -> dict[str, Any]:
        seconds = shape.positions * 2 * HOP // SAMPLE_RATE
        known = {"feature_size": shape.mel_bins, "chunk_length": seconds, "return_attention_mask": False}
        return {"feature_extractor_type": "WhisperFeatureExtractor", "padding_value": 0.0, **EXTRACTOR, **known}

    def huggingface_differences(self) -> list[str]:
        short = "transformers pads every utterance to 30 s with silence, SURE trained without this padding"
        return [] if self.whole else [f"{short}; backbone.padding=as_trained trains with it"]


def log_mel(waves: Tensor, lengths: Tensor, bins: int) -> Tensor:
    """waves (batch, samples) -> scaled log-mel spectrogram (batch, bins, samples // HOP), at least one frame.

    Each utterance is reflected at its own ends and clipped RANGE below its own maximum, so that its result does not
    depend on the batch. lengths: samples of each utterance (batch,), on the CPU.
    """
    waves = nn.functional.pad(waves, (0, max(HOP - waves.shape[1], 0)))
    with torch.autocast(waves.device.type, enabled=False):
        waves = reflect(waves.float(), lengths, WINDOW // 2)
        window = torch.hann_window(WINDOW, device=waves.device)
        spectrum = torch.stft(waves, WINDOW, HOP, window=window, center=False, return_complex=True)
        power = spectrum[..., :-1].abs() ** 2  # without the last frame, as the original
        levels = (mel_filters(bins, waves.device) @ power).clamp(min=SMALLEST).log10()
        loudest = Frames(lengths // HOP, levels.shape[2]).max(levels.transpose(1, 2)).amax(1)
        return (torch.maximum(levels, loudest[:, None, None] - RANGE) + 4) / 4


def reflect(waves: Tensor, lengths: Tensor, margin: int) -> Tensor:
    """waves (batch, samples) -> (batch, samples + 2 margin), each row reflected at its first and last valid sample."""
    last = lengths.to(waves.device, non_blocking=True)[:, None] - 1
    places = torch.arange(-margin, waves.shape[1] + margin, device=waves.device).abs()
    places = (last - (last - places).abs()).clamp(min=0)
    return waves.gather(1, places)


@lru_cache
def mel_filters(bins: int, device: torch.device) -> Tensor:
    """(bins, WINDOW // 2 + 1): triangles of equal area, evenly spaced on Slaney's mel scale up to half the sample rate.

    The scale is linear up to 1 kHz (15 mel) and logarithmic above, 27 mel for a factor of 6.4. Computed in float64:
    torchaudio's filters, computed in float32, differ from those of Whisper's feature extractor by up to 6e-8.
    """
    step = math.log(6.4) / 27
    top = 15 + math.log(SAMPLE_RATE / 2 / 1000) / step
    mels = torch.linspace(0, top, bins + 2, dtype=torch.float64)
    points = torch.where(mels < 15, mels * 1000 / 15, 1000 * torch.exp((mels - 15) * step))[:, None]
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, WINDOW // 2 + 1, dtype=torch.float64)
    low, middle, high = points[:-2], points[1:-1], points[2:]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    triangles = torch.minimum(rising, falling).clamp(min=0) * 2 / (high - low)
    return triangles.float().to(device)
