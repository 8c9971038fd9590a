"""The log-mel spectrogram of Whisper (arXiv 2212.04356, section 2.2), without influence of padding."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

from sure import SAMPLE_RATE
from sure.frames import Frames

WINDOW = 400  # samples
HOP = 160  # samples
SMALLEST = 1e-10  # power
RANGE = 8.0  # of an utterance, from its loudest value down, in powers of ten


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
