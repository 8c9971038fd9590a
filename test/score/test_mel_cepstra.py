"""Mel-cepstral distortion compared with the cosine series, with differences of spectra in dB, and by hand."""

import math

import numpy as np
import pytest

from sure.errors import SureError
from sure.score.synthesis.mel_cepstra import COEFFICIENTS, distortion, mel_cepstra


def mels(seed, frames=12, channels=80):
    return np.random.default_rng(seed).normal(-4, 2, size=(frames, channels)).astype(np.float32)


def test_cepstra_are_those_of_the_cosine_series():
    """Coefficients of a spectrum that is summed term by term are recovered."""
    wanted = np.random.default_rng(0).normal(size=(5, COEFFICIENTS))
    channel = np.arange(80)
    mel = np.full((5, 80), 3.0)
    for order in range(1, COEFFICIENTS + 1):
        mel += wanted[:, order - 1 : order] * np.cos(math.pi * order * (channel + 0.5) / 80)
    mel += 0.7 * np.cos(math.pi * (COEFFICIENTS + 1) * (channel + 0.5) / 80)  # one order higher, ignored
    np.testing.assert_allclose(mel_cepstra(mel), wanted, atol=1e-12)


def test_all_coefficients_give_the_difference_of_the_spectra_in_decibels():
    """Root mean square over channels of 20 log10 of the ratio, without the levels."""
    first, second = mels(1, frames=1), mels(2, frames=1)
    decibels = 20 / math.log(10) * (first.astype(np.float64) - second)
    wanted = np.sqrt(np.mean((decibels - decibels.mean()) ** 2))
    found, _ = distortion(mel_cepstra(first, 79), mel_cepstra(second, 79))
    assert found == pytest.approx(wanted, rel=1e-6)


def test_by_hand():
    """One coefficient differs by 0.1: 10 / ln 10 * sqrt(2) * 0.1 dB = 0.614 dB."""
    cepstra = np.zeros((4, COEFFICIENTS))
    other = cepstra.copy()
    other[:, 4] = 0.1
    assert distortion(cepstra, other)[0] == pytest.approx(0.6141851, abs=1e-6)


def test_level_and_speed_do_not_matter_but_order_does():
    mel = mels(3)
    slower = np.repeat(mel, [1, 3, 1, 1, 2, 1, 1, 4, 1, 1, 1, 2], axis=0) + 2.5
    assert distortion(mel_cepstra(mel), mel_cepstra(slower))[0] == pytest.approx(0, abs=1e-6)
    assert distortion(mel_cepstra(mel), mel_cepstra(mel[::-1]))[0] > 1
    other = mels(4, frames=9)
    there = distortion(mel_cepstra(mel), mel_cepstra(other))[0]
    assert distortion(mel_cepstra(other), mel_cepstra(mel))[0] == pytest.approx(there)


def test_too_few_channels_are_refused():
    with pytest.raises(SureError, match="more than 13 mel channels, found 13"):
        mel_cepstra(mels(0, channels=13))
