"""Distances between two utterances of the same words: spectrum, pitch, voicing and duration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from sure.data.synthesis.acoustic import AcousticConfig, log_mel, magnitudes
from sure.data.synthesis.pitch import pitch
from sure.score.synthesis.mel_cepstra import distortion, mel_cepstra

CENTS = 1200  # in an octave


@dataclass(frozen=True)
class Frames:
    """mel: log magnitudes (frames, mels); hertz: F0 (frames,), 0 if unvoiced."""

    mel: np.ndarray
    hertz: np.ndarray


@dataclass(frozen=True)
class Distance:
    """Distances of one utterance, as sums over aligned frames, so that scores of a set are over all its frames.

    mcd: mean mel-cepstral distortion in dB. pairs: number of aligned frames. voiced: pairs with both frames voiced.
    squared_hz, squared_cents: sums of squared F0 differences over the voiced pairs. voicing_errors: pairs with one
    voiced frame. frames: length of the reference. frames_apart: absolute difference of the lengths in frames.
    """

    mcd: float
    pairs: int
    voiced: int
    squared_hz: float
    squared_cents: float
    voicing_errors: int
    frames: int
    frames_apart: int


def frames_of(wave: torch.Tensor, acoustic: AcousticConfig) -> Frames:
    """wave: (samples,) at acoustic.sample_rate; a wave shorter than a frame is padded with zeros."""
    least = max(acoustic.margin + 1, acoustic.hop_size)
    wave = F.pad(wave, (0, max(0, least - len(wave))))
    return Frames(log_mel(magnitudes(wave, acoustic), acoustic).numpy(), pitch(wave, acoustic))


def distance(reference: Frames, other: Frames) -> Distance:
    """Frames are aligned by mel cepstra; pitch and voicing are compared along the same path."""
    mcd, path = distortion(mel_cepstra(reference.mel), mel_cepstra(other.mel))
    wanted, found = reference.hertz[path[0]].astype(np.float64), other.hertz[path[1]].astype(np.float64)
    both = (wanted > 0) & (found > 0)
    octaves = np.log2(found[both] / wanted[both])
    return Distance(
        mcd=mcd,
        pairs=path.shape[1],
        voiced=int(both.sum()),
        squared_hz=float(((found - wanted)[both] ** 2).sum()),
        squared_cents=float(((CENTS * octaves) ** 2).sum()),
        voicing_errors=int(((wanted > 0) != (found > 0)).sum()),
        frames=len(reference.mel),
        frames_apart=abs(len(other.mel) - len(reference.mel)),
    )
