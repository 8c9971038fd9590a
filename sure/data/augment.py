"""Augmentation: speed and noise for waveforms, masks for hidden features (SpecAugment). All off by default."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from sure.data.audio import SAMPLE_RATE, read_audio, resample
from sure.data.audio_readers import AUDIO_SUFFIXES
from sure.errors import SureError

NOISES_IN_MEMORY = 64


class AugmentConfig(BaseModel):
    """The `augment:` section. Speed: Ko et al., Interspeech 2015. Masks: SpecAugment, Park et al., Interspeech 2019."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    speed: list[Annotated[float, Field(ge=0.5, le=2.0)]] = Field(
        [],
        description="speed factors, such as [0.9, 1.0, 1.1], one drawn per utterance and epoch; the pitch changes too",
    )
    noise_snr_db: tuple[float, float] | None = Field(
        None, description="[lowest, highest] signal-to-noise ratio in dB; null: no noise"
    )
    noise_probability: float = Field(1.0, ge=0.0, le=1.0, description="fraction of utterances that noise is added to")
    noise: Literal["white", "pink"] = Field("white", description="generated noise, where noise_files is not set")
    noise_files: Path | None = Field(
        None, description="folder with recordings of noise, or a text file with one path per line"
    )
    time_masks: int = Field(0, ge=0, description="time masks per utterance, on hidden features")
    time_mask_frames: int = Field(20, ge=0, description="largest width of a time mask, in frames")
    time_mask_share: float = Field(0.2, ge=0.0, le=1.0, description="largest width of a time mask / utterance length")
    channel_masks: int = Field(0, ge=0, description="channel masks per utterance, on hidden features")
    channel_mask_width: int = Field(32, ge=0, description="largest width of a channel mask, in channels")

    @model_validator(mode="after")
    def _noise_is_complete(self) -> AugmentConfig:
        if self.noise_snr_db is not None and self.noise_snr_db[0] > self.noise_snr_db[1]:
            raise ValueError(f"noise_snr_db: expected [lowest, highest], got {list(self.noise_snr_db)}")
        if self.noise_files is not None and self.noise_snr_db is None:
            raise ValueError("noise_files needs noise_snr_db, such as [5, 20]")
        return self

    @property
    def changes_waveform(self) -> bool:
        """Whether waveforms differ between epochs."""
        return any(factor != 1.0 for factor in self.speed) or self.adds_noise

    @property
    def adds_noise(self) -> bool:
        """Whether waveforms are new in every epoch; then nothing computed from them can be cached."""
        return self.noise_snr_db is not None

    @property
    def changes_features(self) -> bool:
        return self.time_masks * self.time_mask_frames > 0 or self.channel_masks * self.channel_mask_width > 0


class Augment:
    """Waveform augmentation for `SpeechDataset`: maps (samples,) and a random generator to (samples,)."""

    def __init__(self, config: AugmentConfig):
        self.config = config
        self.noises = list_audio(config.noise_files) if config.noise_files else []

    def __call__(self, wave: Tensor, generator: torch.Generator) -> Tensor:
        config = self.config
        if config.speed:
            wave = change_speed(wave, config.speed[draw_speed(config, generator)])
        if config.noise_snr_db is not None and _uniform(generator, 0.0, 1.0) < config.noise_probability:
            snr = _uniform(generator, *config.noise_snr_db)
            wave = add_noise(wave, self._noise(len(wave), generator), snr)
        return wave

    def _noise(self, samples: int, generator: torch.Generator) -> Tensor:
        if not self.noises:
            white = torch.randn(samples, generator=generator)
            return pink(white) if self.config.noise == "pink" else white
        noise = _read_noise(self.noises[int(torch.randint(len(self.noises), (), generator=generator))])
        first = int(torch.randint(len(noise), (), generator=generator))
        repeats = -(-(first + samples) // len(noise))
        return noise.repeat(repeats)[first : first + samples]


def draw_speed(config: AugmentConfig, generator: torch.Generator) -> int:
    """The position of an utterance's factor in `speed`: the first random number of the utterance in an epoch."""
    return int(torch.randint(len(config.speed), (), generator=generator))


def change_speed(wave: Tensor, factor: float) -> Tensor:
    """wave (samples,) -> (samples / factor,), which is faster and higher for factors above 1."""
    return resample(wave, round(factor * SAMPLE_RATE), SAMPLE_RATE)


def add_noise(wave: Tensor, noise: Tensor, snr_db: float) -> Tensor:
    """Add `noise`, scaled so that the power of `wave` is `snr_db` dB above its power. A silent wave is unchanged."""
    wave_power, noise_power = wave.square().mean(), noise.square().mean()
    if wave_power == 0 or noise_power == 0:
        return wave
    return wave + noise * torch.sqrt(wave_power / noise_power / 10 ** (snr_db / 10))


def pink(white: Tensor) -> Tensor:
    """Shape white noise (samples,) in the frequency domain, so that its power falls as 1 / frequency."""
    spectrum = torch.fft.rfft(white)
    frequency = torch.arange(len(spectrum), dtype=torch.float32).clamp_min(1.0)
    return torch.fft.irfft(spectrum / frequency.sqrt(), n=len(white))


def spec_augment(features: Tensor, lengths: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Set random spans of frames and channels of hidden features to zero (SpecAugment without time warping).

    features (batch, time, dim), lengths (batch,) in frames. Each utterance has its own masks, drawn on the CPU, so they
    do not depend on the device. Returns a new tensor.
    """
    if not config.changes_features:
        return features
    batch, time, dim = features.shape
    valid = lengths.cpu()
    hidden_frames = _spans(config.time_masks, config.time_mask_frames, valid, time, generator, config.time_mask_share)
    widths = torch.full((batch,), dim)
    hidden_channels = _spans(config.channel_masks, config.channel_mask_width, widths, dim, generator)
    hidden = hidden_frames[:, :, None] | hidden_channels[:, None, :]
    return features.masked_fill(hidden.to(features.device, non_blocking=True), 0.0)


def list_audio(path: Path) -> list[str]:
    """The audio files below a folder, or the paths in a text file, one per line. Raises SureError if there are none."""
    if path.is_dir():
        files = sorted(str(file) for file in path.rglob("*") if file.suffix.lower() in AUDIO_SUFFIXES)
    elif path.is_file():
        files = [line.strip() for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    else:
        raise SureError(f"augment.noise_files: {path} does not exist; give a folder or a text file of paths")
    if not files:
        raise SureError(f"augment.noise_files: {path} has no audio files; give a folder or a text file of paths")
    return files


def _spans(
    count: int, width: int, lengths: Tensor, size: int, generator: torch.Generator, share: float = 1.0
) -> Tensor:
    """(batch, size), True in `count` spans per row, each at most `width` long and at most `share` of the row."""
    largest = torch.minimum(torch.full_like(lengths, width), (lengths * share).long())
    draws = torch.rand(2, len(lengths), count, generator=generator)
    spans = (draws[0] * (largest[:, None] + 1)).long()
    starts = (draws[1] * (lengths[:, None] - spans + 1)).long()
    positions = torch.arange(size)
    inside = (positions >= starts[..., None]) & (positions < (starts + spans)[..., None])
    return inside.any(dim=1)


@lru_cache(NOISES_IN_MEMORY)
def _read_noise(path: str) -> Tensor:
    return read_audio(path)


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))
