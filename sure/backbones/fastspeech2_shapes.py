"""Sizes of FastSpeech 2 models, their phones, and the statistics of their features."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shape:
    """Sizes and statistics of a model; those of SURE's own model by default.

    phones: all symbols, padding and unknown first.
    mel_mean, mel_std: (mels,), of log mels; pitch, energy: mean and standard deviation of log F0 (F0 in Hz) and of
        energy. Computed over the first training set, then part of the model, as are the feature settings `acoustic`.
    convolution_kernel: kernel size in conformer layers; 0: transformer layers.
    speaker_vector: size of external speaker embeddings; 0: none.
    aligner: hidden width of the aligner; 0: durations are given.
    """

    dim: int = 256
    encoder_layers: int = 4
    decoder_layers: int = 6
    heads: int = 2
    ffn: int = 1024
    kernels: tuple[int, int] = (9, 1)
    convolution_kernel: int = 0
    dropout: float = 0.1
    predictor: int = 256
    predictor_kernel: int = 3
    predictor_dropout: float = 0.5
    postnet_layers: int = 5
    postnet: int = 512
    postnet_kernel: int = 5
    postnet_dropout: float = 0.5
    aligner: int = 192
    temperature: float = 0.1
    speaker_vector: int = 0
    phones: tuple[str, ...] = ("<pad>", "<unk>")
    mel_mean: tuple[float, ...] = (0.0,) * 80
    mel_std: tuple[float, ...] = (1.0,) * 80
    pitch: tuple[float, float] = (5.0, 0.3)
    energy: tuple[float, float] = (0.0, 1.0)
    acoustic: dict[str, Any] = field(default_factory=dict)

    @property
    def mels(self) -> int:
        return len(self.mel_mean)


SMALL = dict(dim=192, encoder_layers=3, decoder_layers=3, ffn=512, kernels=(5, 1), predictor=128)
SMALL_POSTNET = dict(postnet_layers=3, postnet=128, postnet_dropout=0.2, predictor_dropout=0.3)
TINY = dict(dim=32, encoder_layers=2, decoder_layers=2, ffn=48, kernels=(3, 1), predictor=16)
TINY_POSTNET = dict(postnet_layers=2, postnet=16, aligner=16)
SHAPES = {
    "base": Shape(),
    "small": Shape(**SMALL, **SMALL_POSTNET),
    "conformer": Shape(kernels=(1, 1), convolution_kernel=7),
    "tiny": Shape(**TINY, **TINY_POSTNET),
    "tiny_conformer": Shape(**TINY, **TINY_POSTNET, convolution_kernel=3),
}
