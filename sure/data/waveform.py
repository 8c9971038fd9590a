"""Recordings in memory: arrays, pairs with a rate, dictionaries of `datasets`, contents of files."""

import logging
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from torch import Tensor

from sure import SAMPLE_RATE
from sure.data.audio import MOST_CHANNELS, AudioError, decode, decode_bytes, is_clipped, mono, to_wave
from sure.data.audio_readers import to_float
from sure.errors import SureError

log = logging.getLogger(__name__)

EXPECTED = (
    "a file; a waveform (samples,) or (samples, channels) of floats in [-1, 1] at 16 kHz, or of int16, int32 or uint8; "
    "(waveform, rate); {'array': ..., 'sampling_rate': ...}; or the bytes of a file"
)
INTEGERS = (np.int8, np.uint8, np.int16, np.int32)  # as in files; int64 has no usual scale
NUMBERS = (Integral, Real)
BYTES = (bytes, bytearray, memoryview)


def recordings(audio: Any) -> Iterator[Any]:
    """The recordings of an argument: one by itself, or the items of an iterable. Raises SureError for anything else."""
    if _is_recording(audio):
        yield audio
    elif isinstance(audio, Iterable):
        yield from audio
    else:
        raise SureError(f"expected recordings, found {type(audio).__name__}; a recording is {EXPECTED}")


def _is_recording(audio: Any) -> bool:
    if isinstance(audio, (np.ndarray, Tensor)):
        # (samples, channels), because no recording has as few samples as one of its rows
        channels_last = audio.ndim == 2 and audio.shape[1] <= MOST_CHANNELS < audio.shape[0]
        return (audio.ndim < 2 or channels_last) and audio.dtype != object
    pair = isinstance(audio, tuple) and len(audio) == 2 and any(isinstance(item, NUMBERS) for item in audio)
    return (
        pair or isinstance(audio, (str, os.PathLike, bytes, bytearray, memoryview, Mapping)) or hasattr(audio, "read")
    )


def load_recording(audio: Any, name: str) -> tuple[Tensor, bool]:
    """A recording as a waveform (samples,) of 16 kHz in [-1, 1], and whether it was clipped.

    name: of a recording in memory, for errors and warnings. Raises SureError (AudioError) as for files.
    """
    samples, rate = _samples(audio, name)
    return to_wave(samples, rate), is_clipped(samples)


def _samples(audio: Any, name: str, rate: Any = None) -> tuple[np.ndarray, int]:
    """(samples,) float32, and the rate. rate: of a waveform that is given with its rate."""
    if hasattr(audio, "read"):
        audio = (audio.read(), audio.samplerate) if hasattr(audio, "samplerate") else audio.read()
        if isinstance(audio, str):
            raise SureError(f"{name}: a file that is open as text; open it with mode 'rb'")
    if hasattr(audio, "get_all_samples"):  # decoders of torchcodec, as in columns of `datasets`
        audio = audio.get_all_samples()
    if hasattr(audio, "sample_rate") and hasattr(audio, "data"):
        audio = (audio.data, audio.sample_rate)
    if rate is not None and isinstance(audio, (str, os.PathLike, *BYTES, Mapping, tuple)):
        raise SureError(f"{name}: found a rate with {type(audio).__name__}, which has its own; leave one of them out")
    if isinstance(audio, (str, os.PathLike)):
        return decode(audio)
    if isinstance(audio, Mapping):
        return _of_mapping(audio, name)
    if isinstance(audio, BYTES):
        return decode_bytes(bytes(audio), name)
    if isinstance(audio, tuple) and len(audio) == 2:
        numbers = [isinstance(item, NUMBERS) for item in audio]
        if numbers in ([True, False], [False, True]):
            return _samples(audio[numbers.index(False)], name, audio[numbers.index(True)])
    rate = SAMPLE_RATE if rate is None else _checked_rate(rate, name)
    return mono(_channels(_array(audio, name), name), rate, name), rate


def _of_mapping(audio: Mapping, name: str) -> tuple[np.ndarray, int]:
    """The usual keys: `array` or `raw` with `sampling_rate` or `sample_rate`; `bytes` or `path` of a file."""
    values = {key: value for key, value in audio.items() if value is not None}
    rates = [values[key] for key in ("sampling_rate", "sample_rate") if key in values]
    for key in ("array", "raw"):
        if key in values and len(rates) == 1:
            return _samples(values[key], name, rates[0])
        if key in values:
            raise SureError(f"{name}: found {list(audio)}; expected {key} with one rate, sampling_rate")
    for key in ("bytes", "path"):
        if key in values:
            return _samples(values[key], name)
    raise SureError(f"{name}: expected the keys array and sampling_rate, or bytes, or path; found {list(audio)}")


def _array(audio: Any, name: str) -> np.ndarray:
    """The values as float32, integers scaled by their range."""
    if isinstance(audio, np.ma.MaskedArray) and np.ma.is_masked(audio):
        raise AudioError(name, "unusable samples", "some are masked; fill or cut them")
    try:
        if isinstance(audio, Tensor):
            audio = audio.detach().cpu()
            audio = (audio.float() if audio.is_floating_point() else audio).numpy()
        array = np.asarray(audio)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):  # rows of unequal length, a sparse tensor
        array = np.empty(0, object)
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return array.astype(np.float32)
    if array.dtype.newbyteorder("=") in INTEGERS:
        if array.dtype.itemsize == 4 and array.any():
            for bits, remedy in ((16, "convert it to int16"), (24, "multiply it by 256")):
                if -1 << bits - 1 <= array.min() and array.max() < 1 << bits - 1:
                    log.warning("%s: all values of this int32 are within %d bits, so it is read as near silence; if "
                                "they are %d-bit samples, %s", name, bits, bits, remedy)  # fmt: skip
                    break
        return to_float(array)
    if array.dtype.kind in "iu":
        raise AudioError(name, "unusable samples", f"{array.dtype} has no usual scale; give int16, int32 or floats")
    raise SureError(f"{name}: found {type(audio).__name__} of {array.dtype}; expected {EXPECTED}")


def _channels(array: np.ndarray, name: str) -> np.ndarray:
    """(channels, samples) of (samples,) or of both orders of two axes: there are fewer channels than samples."""
    if array.ndim == 1:
        return array[None]
    if array.ndim == 2 and min(array.shape) <= MOST_CHANNELS < max(array.shape):
        return array if array.shape[0] <= MOST_CHANNELS else array.T
    raise SureError(
        f"{name}: found the shape {list(array.shape)}; expected (samples,), or 1 to {MOST_CHANNELS} channels"
    )


def _checked_rate(rate: Any, name: str) -> int:
    if isinstance(rate, bool) or not isinstance(rate, NUMBERS) or not math.isfinite(rate) or int(rate) != rate:
        raise AudioError(name, "unusable sampling rate", f"{rate!r}, expected a whole number of Hz")
    return int(rate)
