"""Fundamental frequency (F0), by SwiftF0 (arXiv 2508.18440), a small network whose weights are in its package.

Trackers on 20 prompts of four asterisk voices with one thread, speed as a multiple of real time and share of voiced
frames whose F0 jumps by more than a fifth: SwiftF0 86, 1.9 %; DIO with StoneMask of WORLD, which must be compiled, 99,
3.3 %; WORLD's Harvest 4, 4.2 %; librosa's pYIN 1.2, 1.5 %.
"""

import importlib
from functools import cache
from typing import Any

import numpy as np
from torch import Tensor

from sure.data.audio import resample
from sure.data.synthesis.acoustic import AcousticConfig
from sure.errors import SureError


def pitch(wave: Tensor, config: AcousticConfig) -> np.ndarray:
    """F0 (frames,) float32 in Hz, 0 where unvoiced, of `wave` (samples,); frames = samples // hop_size.

    Raises SureError if the tracker is not installed.
    """
    tracker, rate = _tracker()
    resampled = resample(wave, config.sample_rate, rate).numpy()
    found = tracker.detect(resampled, rate, config.pitch_low_hz, config.pitch_high_hz)
    frames = len(wave) // config.hop_size
    voiced = found.confidence >= config.pitch_confidence
    if not voiced.any():
        return np.zeros(frames, np.float32)
    centres = (np.arange(frames) + 0.5) * config.hop_size / config.sample_rate
    confidence = np.interp(centres, found.timestamps, found.confidence)
    octaves = np.interp(centres, found.timestamps[voiced], np.log2(found.pitch_hz[voiced]))
    return np.where(confidence >= config.pitch_confidence, 2**octaves, 0).astype(np.float32)


@cache
def _tracker() -> tuple[Any, int]:
    """The network and its sampling rate; one thread, so that every machine sums in the same order."""
    try:
        library = importlib.import_module("swift_f0.core")
    except ImportError:
        raise SureError("computing pitch needs swift_f0: tools/install.sh --extras tts") from None
    return library.SwiftF0(threads=1, spin=False), library.SAMPLE_RATE
