"""Acoustic features of TTS: log-mel spectrogram and energy of a waveform whose leading and trailing silence is cut.

The mel spectrogram equals the one of the published HiFi-GAN vocoders (arXiv 2010.05646, and its code): magnitudes,
Slaney's mel scale and area normalisation, natural logarithm. The waveform is padded by reflection of
(fft_size - hop_size) / 2 samples, so there are samples // hop_size frames, and the centre of frame i is sample
(i + 1/2) * hop_size.
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
    """The `acoustic:` section: features of TTS."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    sample_rate: int = Field(22050, gt=0, description="sampling rate of synthesised speech, in Hz")
    fft_size: int = Field(1024, gt=0, description="length of the Fourier transform, in samples")
    hop_size: int = Field(256, gt=0, description="distance of frames, in samples")
    window_size: int = Field(1024, gt=0, description="length of the Hann window, in samples")
    mels: int = Field(80, gt=0, description="number of mel channels")
    mel_low_hz: float = Field(0.0, ge=0, description="lower edge of the lowest mel channel, in Hz")
    mel_high_hz: float = Field(8000.0, gt=0, description="upper edge of the highest mel channel, in Hz")
    mel_floor: float = Field(1e-5, gt=0, description="least magnitude of a mel channel before the logarithm")
    pitch_low_hz: float = Field(65.0, ge=50, description="lowest fundamental frequency, in Hz")
    pitch_high_hz: float = Field(500.0, gt=0, le=2000, description="highest fundamental frequency, in Hz")
    pitch_confidence: float = Field(
        0.5, gt=0, lt=1, description="least confidence of the pitch tracker in a voiced frame"
    )
    trim_db: float | None = Field(
        40.0,
        gt=0,
        description="silence at both ends is cut; a frame is silent if its level is so many dB below the loudest "
        "frame; null: nothing is cut",
    )
    trim_margin_seconds: float = Field(0.05, ge=0, description="silence that is kept at each end, in seconds")

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
        """Padding by reflection at each end, in samples."""
        return (self.fft_size - self.hop_size) // 2


def read_speech(utterance: Utterance, config: AcousticConfig) -> tuple[Tensor, float]:
    """The trimmed waveform (samples,) at config.sample_rate, and the seconds that are cut before it.

    Raises SureError naming an utterance that cannot be read, is silent, or is too short.
    """
    try:
        wave = read_audio(utterance.audio, utterance.start, utterance.end, config.sample_rate)
        first, last = speech_span(wave, config)
        return _check_length(wave[first:last], config), first / config.sample_rate
    except SureError as error:
        raise SureError(f"utterance '{utterance.id}': {error}") from None


def speech_span(wave: Tensor, config: AcousticConfig) -> tuple[int, int]:
    """First and end sample of `wave` (samples,) after trimming; the end is exclusive.

    Raises SureError if all samples are zero, or there are too few for one frame.
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
    least = max(config.margin + 1, config.hop_size)  # enough for the reflection and for one frame
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
    """Natural logarithm of the mel spectrogram, (frames, mels), of (frames, fft_size // 2 + 1)."""
    return (magnitudes @ mel_filters(config).to(magnitudes.device)).clamp(min=config.mel_floor).log()


def energy(magnitudes: Tensor) -> Tensor:
    """(frames,): the L2 norm of each frame's magnitudes."""
    return magnitudes.norm(dim=1)


@lru_cache
def mel_filters(config: AcousticConfig) -> Tensor:
    """Weights of the mel filters, (fft_size // 2 + 1, mels)."""
    shape = config.fft_size // 2 + 1, config.mel_low_hz, config.mel_high_hz, config.mels, config.sample_rate
    return melscale_fbanks(*shape, norm="slaney", mel_scale="slaney")
