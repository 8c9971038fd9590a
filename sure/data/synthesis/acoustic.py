"""What a synthesiser learns to make of text: log-mel spectrogram and energy of a waveform, silence at its ends trimmed.

The mel spectrogram is that of the published HiFi-GAN vocoders (arXiv 2010.05646, and its code): magnitudes, Slaney's
scale and areas, natural logarithm. The waveform is reflected by (fft_size - hop_size) / 2 samples, so there are
samples // hop_size frames, and frame i has its centre at sample (i + 1/2) * hop_size.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from torchaudio.functional import melscale_fbanks

from sure.data.audio import read_audio
from sure.data.data_dir import Utterance
from sure.errors import SureError


class AcousticConfig(BaseModel):
    """The `acoustic:` section of a config.

    fft_size, hop_size, window_size: samples at sample_rate.
    mel_floor: the least magnitude of a mel channel, before the logarithm.
    pitch_confidence: of the pitch tracker, from which a frame is voiced.
    trim_db: what is so far below an utterance's loudest frame is silence, cut at its ends; null: nothing is cut.
    trim_margin_seconds: silence that is kept at each end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sample_rate: int = Field(22050, gt=0)
    fft_size: int = Field(1024, gt=0)
    hop_size: int = Field(256, gt=0)
    window_size: int = Field(1024, gt=0)
    mels: int = Field(80, gt=0)
    mel_low_hz: float = Field(0.0, ge=0)
    mel_high_hz: float = Field(8000.0, gt=0)
    mel_floor: float = Field(1e-5, gt=0)
    pitch_low_hz: float = Field(65.0, ge=50)
    pitch_high_hz: float = Field(500.0, gt=0, le=2000)
    pitch_confidence: float = Field(0.5, gt=0, lt=1)
    trim_db: float | None = Field(40.0, gt=0)
    trim_margin_seconds: float = Field(0.05, ge=0)

    @model_validator(mode="after")
    def _sizes_fit(self) -> AcousticConfig:
        if not self.hop_size <= self.window_size <= self.fft_size or (self.fft_size - self.hop_size) % 2:
            raise ValueError("expected hop_size <= window_size <= fft_size, and fft_size - hop_size even")
        if not self.mel_low_hz < self.mel_high_hz <= self.sample_rate / 2:
            raise ValueError("expected mel_low_hz < mel_high_hz <= sample_rate / 2")
        if not self.pitch_low_hz < self.pitch_high_hz:
            raise ValueError("expected pitch_low_hz < pitch_high_hz")
        return self

    @property
    def margin(self) -> int:
        """Samples by which a waveform is reflected at each end."""
        return (self.fft_size - self.hop_size) // 2


def read_trimmed(utterance: Utterance, config: AcousticConfig) -> Tensor:
    """The waveform (samples,) at config.sample_rate that the features of an utterance are computed from.

    Raises SureError naming an utterance that cannot be read, is silent or too short.
    """
    return read_speech(utterance, config)[0]


def read_speech(utterance: Utterance, config: AcousticConfig) -> tuple[Tensor, float]:
    """As `read_trimmed`, and how many seconds of the utterance are cut before it."""
    try:
        wave = read_audio(utterance.audio, utterance.start, utterance.end, config.sample_rate)
        first, last = speech_span(wave, config)
        return _check_length(wave[first:last], config), first / config.sample_rate
    except SureError as error:
        raise SureError(f"utterance '{utterance.id}': {error}") from None


def speech_span(wave: Tensor, config: AcousticConfig) -> tuple[int, int]:
    """The first sample of `wave` (samples,) that is not silence to be cut, and that behind the last.

    Raises SureError when all is silent, or too short for a frame.
    """
    _check_length(wave, config)
    if config.trim_db is None:
        return 0, len(wave)
    levels = energy(magnitudes(wave, config))
    if not levels.max() > 0:
        raise SureError("silent: all samples are zero")
    loud = (levels >= levels.max() * 10 ** (-config.trim_db / 20)).nonzero()
    kept = round(config.trim_margin_seconds * config.sample_rate)
    first, last = int(loud[0]) * config.hop_size, (int(loud[-1]) + 1) * config.hop_size
    return max(0, first - kept), min(len(wave), last + kept)


def _check_length(wave: Tensor, config: AcousticConfig) -> Tensor:
    least = max(config.margin + 1, config.hop_size)  # what can be reflected, and has a frame
    if len(wave) < least:
        raise SureError(f"too short: {len(wave)} samples at {config.sample_rate} Hz, expected {least} or more")
    return wave


def magnitudes(wave: Tensor, config: AcousticConfig) -> Tensor:
    """Magnitude spectrogram (frames, fft_size // 2 + 1) of `wave` (samples,), frames = samples // hop_size."""
    padded = torch.nn.functional.pad(wave[None], (config.margin, config.margin), mode="reflect")
    window = torch.hann_window(config.window_size, device=wave.device)
    spectrum = torch.stft(
        padded, config.fft_size, config.hop_size, config.window_size, window, center=False, return_complex=True
    )
    return spectrum[0].abs().T


def log_mel(magnitudes: Tensor, config: AcousticConfig) -> Tensor:
    """Natural logarithm of the mel spectrogram (frames, mels)."""
    return (magnitudes @ mel_filters(config).to(magnitudes.device)).clamp(min=config.mel_floor).log()


def energy(magnitudes: Tensor) -> Tensor:
    """(frames,): the L2 norm of each frame's magnitudes."""
    return magnitudes.norm(dim=1)


@lru_cache
def mel_filters(config: AcousticConfig) -> Tensor:
    """(fft_size // 2 + 1, mels)"""
    low, high = config.mel_low_hz, config.mel_high_hz
    return melscale_fbanks(
        config.fft_size // 2 + 1, low, high, config.mels, config.sample_rate, norm="slaney", mel_scale="slaney"
    )
