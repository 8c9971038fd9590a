"""Small real audio files in every format, made by the encoders of soundfile and PyAV."""

from pathlib import Path

import av
import numpy as np
import soundfile

FFMPEG = {".g722": ("g722", "g722"), ".m4a": ("ipod", "aac"), ".mp4": ("mp4", "aac")}


def tone(seconds: float = 1.0, rate: int = 16000, seed: int = 0) -> np.ndarray:
    """Chirps under a little noise, (samples,) float64, peak below 0.6: every codec keeps it recognisable."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal(len(time)) * 0.01
    return 0.5 * np.sin(2 * np.pi * (200 + 50 * seed + 300 * time) * time) + noise


def write_audio(path: Path, samples: np.ndarray, rate: int = 16000, encoder: tuple[str, str] | None = None) -> Path:
    """(samples,) or (samples, channels) to a file, in the format of its suffix or of FFmpeg's (format, codec)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not (encoder or path.suffix in FFMPEG):
        soundfile.write(path, samples, rate)
        return path
    muxer, codec = encoder or FFMPEG[path.suffix]
    integers = (np.atleast_2d(samples.T) * 32767).astype(np.int16)
    layout = "mono" if len(integers) == 1 else "stereo"
    options = {"movflags": "faststart"} if muxer in ("ipod", "mp4") else {}
    with av.open(str(path), "w", format=muxer, options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(integers.T).reshape(1, -1), "s16", layout)
        frame.sample_rate = rate
        converter, queue = av.AudioResampler(stream.format, layout, rate), av.AudioFifo()
        for part in [*converter.resample(frame), *converter.resample(None)]:
            part.pts = None
            queue.write(part)
        size = stream.codec_context.frame_size or 1024
        for part in [*queue.read_many(size, partial=True), None]:
            container.mux(stream.encode(part))
    return path
