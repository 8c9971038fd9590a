"""Mel-cepstral distortion (Kubichek, IEEE PacRim 1993)."""

from __future__ import annotations

import math

import numpy as np
from scipy.fft import dct
from scipy.spatial.distance import cdist

from sure.errors import SureError
from sure.score.synthesis.time_warping import warping_path

COEFFICIENTS = 13
DECIBELS = 10 / math.log(10) * math.sqrt(2)


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
    """Mean distortion in dB over the aligned frames, and the alignment (2, length).

    reference, other: mel cepstra (frames, coefficients). The distortion of two frames is
    10 / ln 10 * sqrt(2 sum_k (c_k - c'_k)^2). With all coefficients it equals the root mean square difference over mel
    channels of the two log spectra, each without its mean.
    """
    costs = DECIBELS * cdist(reference, other)
    path = warping_path(costs)
    return float(costs[path[0], path[1]].mean()), path
