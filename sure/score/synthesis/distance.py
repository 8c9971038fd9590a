"""Distances between two utterances of the same words: mel-cepstral distortion, pitch, voicing and duration."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import dct
from scipy.spatial.distance import cdist

from sure.data.synthesis.acoustic import AcousticConfig, log_mel, magnitudes
from sure.data.synthesis.pitch import pitch
from sure.errors import SureError

CENTS = 1200  # in an octave
COEFFICIENTS = 13
DECIBELS = 10 / math.log(10) * math.sqrt(2)


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
    return Distance(
        mcd=mcd,
        pairs=path.shape[1],
        voiced=int(both.sum()),
        squared_hz=float(((found - wanted)[both] ** 2).sum()),
        squared_cents=float(((CENTS * np.log2(found[both] / wanted[both])) ** 2).sum()),
        voicing_errors=int(((wanted > 0) != (found > 0)).sum()),
        frames=len(reference.mel),
        frames_apart=abs(len(other.mel) - len(reference.mel)),
    )


def mel_cepstra(mel: np.ndarray, coefficients: int = COEFFICIENTS) -> np.ndarray:
    """First cepstral coefficients of each frame, without the level c0: (frames, mels) -> (frames, coefficients).

    mel: natural logarithm of the mel magnitude spectrogram (`sure.data.synthesis.acoustic`). The coefficients c_k are
    those of mel[n] = c0 + sum_k c_k cos(pi k (n + 1/2) / mels), the scale of all-pole and SPTK analyses; an
    orthonormal transform gives values that are sqrt(mels / 2) times as large. Raises SureError for too few channels.
    """
    channels = mel.shape[1]
    if channels <= coefficients:
        raise SureError(f"{coefficients} mel cepstra need more than {coefficients} mel channels, found {channels}")
    return dct(mel.astype(np.float64), type=2, axis=1)[:, 1 : coefficients + 1] / channels


def distortion(reference: np.ndarray, other: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean distortion in dB over the aligned frames (Kubichek, IEEE PacRim 1993), and the alignment (2, length).

    reference, other: mel cepstra (frames, coefficients). The distortion of two frames is
    10 / ln 10 * sqrt(2 sum_k (c_k - c'_k)^2). With all coefficients it equals the root mean square difference over mel
    channels of the two log spectra, each without its mean.
    """
    costs = DECIBELS * cdist(reference, other)
    path = warping_path(costs)
    return float(costs[path[0], path[1]].mean()), path


def warping_path(costs: np.ndarray) -> np.ndarray:
    """Dynamic time warping: the path from the first to the last pair of frames with the lowest sum of costs.

    costs: (frames, other_frames), both at least 1. Returns (2, length): the frame on each side at each step. A step
    advances one or both sides by one frame, with equal weights (Sakoe and Chiba, IEEE TASSP 1978, without a slope
    constraint). Among equal sums, the step that advances both sides is taken.
    """
    frames, others = costs.shape
    # Lowest sums up to each pair, stored by (frame + other, frame), counted from 1: each diagonal is computed at once
    # from the two diagonals before it.
    sums = np.full((frames + others + 1, frames + 1), np.inf)
    sums[0, 0] = 0.0
    for both in range(2, frames + others + 1):
        at = np.arange(max(1, both - others), min(frames, both - 1) + 1)
        before = np.minimum(np.minimum(sums[both - 2, at - 1], sums[both - 1, at - 1]), sums[both - 1, at])
        sums[both, at] = costs[at - 1, both - at - 1] + before
    path, place = [], (frames, others)
    while min(place) > 0:
        path.append((place[0] - 1, place[1] - 1))
        earlier = [(place[0] - first, place[1] - second) for first, second in ((1, 1), (1, 0), (0, 1))]
        place = min(earlier, key=lambda pair: sums[pair[0] + pair[1], pair[0]])
    return np.array(path[::-1], dtype=np.int64).T
