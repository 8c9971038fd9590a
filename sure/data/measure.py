"""Decoding of a recording for validation: its length, its faults, and the content of its utterances."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sure.data.audio import AudioError, audio_file, decode, is_clipped
from sure.data.audio_readers import TRUNCATED
from sure.recipe.inputs import Recording, read_recording

Span = tuple[str, float, float | None]  # utterance, start and end in seconds; None: to the end


class Measured(NamedTuple):
    """note: a fault that is only reported. contents: by utterance, a digest of its samples, or SILENT."""

    seconds: float
    rate: int
    note: str
    contents: dict[str, str]
    file: Recording


SILENT = ""


def measure(path: str, spans: Sequence[Span], segmented: bool) -> Measured | AudioError:
    """Decode a whole recording. segmented: a truncated one is no error, because its segments may be whole."""
    note = ""
    try:
        samples, rate = decode(path)
    except AudioError as error:
        if not segmented or error.reason != TRUNCATED:
            return error
        samples, rate = decode(path, partial=True)
        note = f"{TRUNCATED}; segments before their last samples are kept"
    if is_clipped(samples):
        note = note or "recordings with samples above 1, which are clipped"
    contents = {id: _content(_cut(samples, rate, start, end), rate) for id, start, end in spans}
    return Measured(len(samples) / rate, rate, note, contents, read_recording(str(audio_file(path))))


def _cut(samples: np.ndarray, rate: int, start: float, end: float | None) -> np.ndarray:
    return samples[round(start * rate) : None if end is None else round(end * rate)]


def _content(samples: np.ndarray, rate: int) -> str:
    if not len(samples) or (samples == samples[0]).all():
        return SILENT
    return f"{rate} {hashlib.blake2b(samples.tobytes(), digest_size=16).hexdigest()}"
