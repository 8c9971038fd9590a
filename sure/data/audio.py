"""Audio of files and of memory as mono float32: any format, sampling rate and number of channels.

sure.data.audio_readers decodes files; `name.ark:offset` is read through sure.data.ark.
"""

import math
import os
import re
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio

from sure import SAMPLE_RATE
from sure.data import ark
from sure.data.audio_readers import DECODING_ERRORS, TRUNCATED, Channels, read_channels, to_float
from sure.data.containers import Refused
from sure.errors import SureError

# seconds by which a segment may exceed its recording, because corpora round; it is cut at the end
SEGMENT_TOLERANCE = 0.1
# lossy codecs exceed 1 a little; samples far above it are integers in a float file
LARGEST_PEAK = 8.0
CLIPPED = 1e-3  # fraction of samples above 1 from which clipping is audible, and said
CLIPPED_PEAK = 1.1  # a peak from which it is said of any number of samples
RATES = range(4_000, 384_001)  # of speech, in Hz; any other value in a header is an error
MOST_CHANNELS = 8  # the most in video; for a microphone array the user must choose
CANCELLED = 0.01  # level of the mean of all channels / level of the channels, if one is the inverse of another
TOO_LONG = "longer than the limit"  # a reason of AudioError
IN_ARCHIVE = re.compile(r"\.ark:\d+$")


class AudioError(SureError):
    """An unusable recording; `reason` is the kind of error, for counting."""

    def __init__(self, path: str | os.PathLike, reason: str, detail: str = ""):
        super().__init__(f"{path}: {reason}{': ' if detail else ''}{detail}")
        self.reason = reason
        self.detail = detail


def read_audio(
    path: str | os.PathLike, start: float | None = None, end: float | None = None, sample_rate: int = SAMPLE_RATE
) -> torch.Tensor:
    """Read a file, or the part from `start` to `end` in seconds, as (samples,) float32 mono in [-1, 1].

    The part is cut to the nearest sample at the file's own rate, before resampling. Channels are averaged. Raises
    AudioError (a SureError) naming a file that is missing, empty, truncated, unreadable or not finite. A part that a
    truncated file has is no error.
    """
    samples, rate = decode(path, start, end)
    return to_wave(samples, rate, sample_rate)


def to_wave(mono: np.ndarray, rate: int, sample_rate: int = SAMPLE_RATE) -> torch.Tensor:
    """(samples,) of `rate` as (samples,) float32 of `sample_rate`, clipped to [-1, 1]."""
    return resample(torch.from_numpy(mono), rate, sample_rate).clamp(-1.0, 1.0)


def audio_seconds(path: str | os.PathLike) -> float:
    """The length in seconds of the decoded audio, which may differ from the header. Raises AudioError."""
    samples, rate = decode(path)
    return len(samples) / rate


def resample(wave: torch.Tensor, rate: int, new_rate: int) -> torch.Tensor:
    """Windowed-sinc resampling of (..., samples) to ceil(samples * new_rate / rate) samples."""
    if rate == new_rate:
        return wave
    common = math.gcd(rate, new_rate)
    if rate // common * (new_rate // common) < 1 << 22:
        return torchaudio.functional.resample(wave, rate, new_rate)
    # torchaudio's filter bank has a row for each phase: gigabytes for rates such as 44,099 Hz
    from scipy.signal import resample_poly

    resampled = resample_poly(wave.numpy(), new_rate // common, rate // common, axis=-1)
    return torch.from_numpy(resampled).to(wave.dtype)


def decode(
    path: str | os.PathLike, start: float | None = None, end: float | None = None, partial: bool = False
) -> tuple[np.ndarray, int]:
    """The audio of a file as (samples,) float32 mono at the file's own rate, and the rate. Raises AudioError.

    partial: what is left of a truncated file is no error.
    """
    name = os.fspath(path)
    if ark.is_command(name):
        raise AudioError(name, "is a command", "stage 2 with --allow_commands true runs it once and stores its output")
    file = audio_file(name)
    if not file.is_file():
        raise AudioError(name, "missing audio file" if not file.exists() else "not a file")
    return _decode(name, None, start, end, partial)


def decode_bytes(content: bytes, name: str, longest: float | None = None) -> tuple[np.ndarray, int]:
    """As `decode` of a file with this content; `name` is for errors, and its suffix for formats without a header.

    longest: seconds; of a longer recording, which is an error, little more than these is decoded.
    """
    return _decode(name, content, None, None, False, longest)


def _decode(
    name: str,
    content: bytes | None,
    start: float | None,
    end: float | None,
    partial: bool,
    longest: float | None = None,
) -> tuple[np.ndarray, int]:
    try:
        if not (os.path.getsize(audio_file(name)) if content is None else len(content)):
            raise AudioError(name, "empty audio file", "0 bytes")
        if content is None and IN_ARCHIVE.search(name):
            rate, samples = ark.read_at(name)
            found = Channels(np.atleast_2d(to_float(samples.T)), rate)
        else:
            last = end if longest is None else longest + 1
            found = read_channels(name if content is None else content, start, last, name)
    except AudioError:
        raise
    except Refused as error:
        raise AudioError(name, error.reason, str(error)) from None
    except DECODING_ERRORS as error:
        raise AudioError(name, "unreadable audio file", " ".join(str(error).split())) from None
    if longest is not None and found.stop > longest * found.rate:
        raise AudioError(name, TOO_LONG, f"{longest:g} s")
    past = end is None or end > found.stop / found.rate + SEGMENT_TOLERANCE
    if found.truncated and past and not partial:
        raise AudioError(name, TRUNCATED, found.truncated)
    return mono(_cut(name, found, start, end), found.rate, name), found.rate


def mono(samples: np.ndarray, rate: int, name: str) -> np.ndarray:
    """The mean (samples,) of the channels of (channels, samples).

    Raises AudioError for a rate or number of channels that speech does not have, no samples, values that are not finite
    or far above 1, and channels that cancel out.
    """
    if rate not in RATES:
        raise AudioError(name, "unusable sampling rate", f"{rate} Hz")
    if len(samples) > MOST_CHANNELS:
        raise AudioError(name, "too many channels", f"{len(samples)}; choose one channel, or mix them")
    mean = samples.mean(axis=0, dtype=np.float32) if len(samples) > 1 else samples[0]
    if not mean.size:
        raise AudioError(name, "empty audio file", "no samples")
    peak = float(np.abs(mean).max())
    if not math.isfinite(peak):
        count = int((~np.isfinite(mean)).sum())
        raise AudioError(name, "samples are not finite", f"{count} NaN or infinite samples")
    if peak > LARGEST_PEAK:
        raise AudioError(name, "samples out of range", f"peak {peak:.6g}, expected float samples in [-1, 1]")
    if len(samples) > 1 and _level(mean) < CANCELLED * _level(samples):
        raise AudioError(name, "channels cancel out", "one channel is the inverse of the other; use only one of them")
    return np.require(mean, np.float32, ("C_CONTIGUOUS", "WRITEABLE"))


def is_clipped(samples: np.ndarray) -> bool:
    """Whether samples are so far above 1, or so many, that clipping changes the sound."""
    level = np.abs(samples)
    return bool(level.max() > CLIPPED_PEAK or (level > 1).mean() > CLIPPED)


def write_wave(path: Path, samples: np.ndarray, rate: int) -> None:
    """Write (samples,) as a WAV file of 16 bit, clipped to [-1, 1]. Raises SureError when that fails."""
    try:
        soundfile.write(path, samples.clip(-1, 1), rate, subtype="PCM_16", format="WAV")
    except (OSError, soundfile.LibsndfileError) as error:
        raise SureError(f"cannot write {path}: {error}") from None


def _level(samples: np.ndarray) -> float:
    return math.sqrt(float(np.square(samples).mean()))


def audio_file(path: str) -> Path:
    """The file that contains the audio: `x.ark` for `x.ark:123`."""
    return Path(path.rpartition(":")[0] if IN_ARCHIVE.search(path) else path)


def _cut(name: str, found: Channels, start: float | None, end: float | None) -> np.ndarray:
    """Cut decoded channels to [start, end) in seconds."""
    if start is None and end is None:
        return found.samples
    rate = found.rate
    begin = round((start or 0.0) * rate)
    stop = found.stop if end is None else round(end * rate)
    if stop - found.stop > SEGMENT_TOLERANCE * rate or begin >= found.stop:
        detail = f"{start or 0.0} to {end} s of a file of {found.stop / rate:.3f} s"
        raise AudioError(name, "segment past the end", detail)
    return found.samples[:, max(0, begin - found.first) : stop - found.first]
