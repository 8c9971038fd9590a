"""Waveforms as the content of audio files."""

import io

import numpy as np
import soundfile

FORMATS = {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "pcm": "audio/pcm"}


def encode(samples: np.ndarray, rate: int, form: str) -> bytes:
    """samples (samples,) in [-1, 1] in one of FORMATS; pcm: 16 bit little-endian at the model's rate."""
    samples = samples.clip(-1, 1)
    if form == "pcm":
        return np.rint(samples * 32767).astype("<i2").tobytes()
    content = io.BytesIO()
    subtype = "MPEG_LAYER_III" if form == "mp3" else "PCM_16"
    soundfile.write(content, samples, rate, format=form.upper(), subtype=subtype)
    return content.getvalue()
