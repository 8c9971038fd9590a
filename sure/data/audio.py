"""The audio reader: from any format, sampling rate and number of channels to mono float32 at 16 kHz.

soundfile reads wav, flac, ogg, opus, mp3, aiff, au and NIST sphere; PyAV reads g722, mp4, m4a and everything
else; `name.ark:offset` is read through `sure.data.ark`.
"""

import math
import os
import re
from pathlib import Path

import av
import numpy as np
import soundfile
import torch
import torchaudio

from sure import SAMPLE_RATE
from sure.data import ark
from sure.errors import SureError

SOUNDFILE_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".au", ".w64", ".sph"}
AUDIO_SUFFIXES = SOUNDFILE_SUFFIXES | {".g722", ".mp4", ".m4a", ".aac", ".webm", ".mka"}
# libsndfile's names of the formats in which it seeks to the exact sample
SEEKABLE = {"WAV", "WAVEX", "FLAC", "AIFF", "AU", "W64", "RF64", "NIST"}
# least size in the header of a wav that was written to a pipe, where the real size was unknown
UNKNOWN_SIZE = 0x7FFFF000
# seconds by which a segment may exceed its recording, because corpora round; it is cut at the end
SEGMENT_TOLERANCE = 0.1
# lossy codecs exceed 1 a little; samples far above it are integers in a float file
LARGEST_PEAK = 8.0
# soundfile raises subclasses of RuntimeError; a damaged file can request any amount of memory
DECODING_ERRORS = (OSError, ValueError, IndexError, RuntimeError, MemoryError, SureError, av.error.FFmpegError)
RATES = range(4_000, 384_001)  # of speech, in Hz; any other value in a header is an error
MOST_CHANNELS = 8  # the most in video; for a microphone array the user must choose
MOST_SAMPLES = 400_000_000  # of all channels, over an hour of 48 kHz stereo; a small file can contain days of silence
CANCELLED = 0.01  # level of the mean of all channels / level of the channels, if one is the inverse of another
IN_ARCHIVE = re.compile(r"\.ark:\d+$")
PLAYLISTS = {"hls", "dash", "concat", "concatf"}  # FFmpeg's names
BLOCK = 1 << 20


class AudioError(SureError):
    """An unusable audio file; `reason` is the kind of error, for counting."""

    def __init__(self, path: str | os.PathLike, reason: str, detail: str = ""):
        super().__init__(f"{path}: {reason}{': ' if detail else ''}{detail}")
        self.reason = reason
        self.detail = detail


def read_audio(
    path: str | os.PathLike, start: float | None = None, end: float | None = None, sample_rate: int = SAMPLE_RATE
) -> torch.Tensor:
    """Read a file, or the part from `start` to `end` in seconds, as (samples,) float32 mono in [-1, 1].

    The part is cut to the nearest sample at the file's own rate, before resampling. Channels are averaged. Raises
    AudioError (a SureError) naming a file that is missing, empty, truncated, unreadable or not finite.
    """
    samples, rate = decode(path, start, end)
    return resample(torch.from_numpy(samples), rate, sample_rate).clamp_(-1.0, 1.0)


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


def decode(path: str | os.PathLike, start: float | None = None, end: float | None = None) -> tuple[np.ndarray, int]:
    """The audio as (samples,) float32 mono at the file's own rate, and the rate. Raises AudioError."""
    name = os.fspath(path)
    if ark.is_command(name):
        raise AudioError(name, "is a command", "stage 2 with --allow_commands true runs it once and stores its output")
    file = audio_file(name)
    try:
        if not file.is_file():
            raise AudioError(name, "missing audio file" if not file.exists() else "not a file")
        if file.stat().st_size == 0:
            raise AudioError(name, "empty audio file", "0 bytes")
        samples, rate, first = _decode_channels(name, start, end)
    except AudioError:
        raise
    except DECODING_ERRORS as error:
        raise AudioError(name, "unreadable audio file", " ".join(str(error).split())) from None
    samples = _cut(name, samples, rate, first, start, end)
    if rate not in RATES:
        raise AudioError(name, "unusable sampling rate", f"{rate} Hz")
    if len(samples) > MOST_CHANNELS:
        raise AudioError(name, "too many channels", f"{len(samples)}; choose one channel, or mix them")
    mono = samples.mean(axis=0, dtype=np.float32) if len(samples) > 1 else samples[0]
    if not mono.size:
        raise AudioError(name, "empty audio file", "no samples")
    peak = float(np.abs(mono).max())
    if not math.isfinite(peak):
        count = int((~np.isfinite(mono)).sum())
        raise AudioError(name, "samples are not finite", f"{count} NaN or infinite samples")
    if peak > LARGEST_PEAK:
        raise AudioError(name, "samples out of range", f"peak {peak:.6g}, expected float samples in [-1, 1]")
    if len(samples) > 1 and _level(mono) < CANCELLED * _level(samples):
        raise AudioError(name, "channels cancel out", "one channel is the inverse of the other; use only one of them")
    return np.ascontiguousarray(mono, dtype=np.float32), rate


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


def _decode_channels(name: str, start: float | None, end: float | None) -> tuple[np.ndarray, int, int]:
    """(channels, samples), the rate, and the position in the file of the first sample."""
    if IN_ARCHIVE.search(name):
        rate, samples = ark.read_at(name)
        return np.atleast_2d(_to_float(samples.T)), rate, 0
    if Path(name).suffix.lower() in SOUNDFILE_SUFFIXES:
        return _decode_soundfile(name, start, end)
    return _decode_av(name)


def _decode_soundfile(name: str, start: float | None, end: float | None) -> tuple[np.ndarray, int, int]:
    with soundfile.SoundFile(name) as file:
        frames, rate = file.frames, file.samplerate
        if file.format in {"WAV", "WAVEX"}:
            _check_riff_size(name)
        elif file.format == "OGG":
            _check_last_ogg_page(name)
        first, wanted = 0, frames
        if file.format in SEEKABLE and (start is not None or end is not None):
            first = min(round((start or 0.0) * rate), frames)
            wanted = max(0, min(frames, round(end * rate) if end is not None else frames) - first)
            file.seek(first)
        blocks, count = [], 0  # in blocks, because the header of a streamed flac has 2^63 samples
        while count < wanted:
            block = file.read(min(BLOCK, wanted - count), "float32", always_2d=True)
            if not len(block):
                break
            blocks.append(block)
            count += len(block)
            _check_count(name, count * file.channels)
    # the length of an mp3 without an index is an estimate
    promised = wanted * 0.95 if file.format == "MP3" else wanted
    if count < promised and frames < 1 << 60:
        raise AudioError(name, "truncated audio file", f"{count} of the {wanted} samples that its header promises")
    samples = np.concatenate(blocks).T if blocks else np.zeros((1, 0), np.float32)
    # the end may be after the end of the file; _cut checks the tolerance
    return samples, rate, first


def _check_count(name: str, samples: int) -> None:
    if samples > MOST_SAMPLES:
        raise AudioError(name, "too long to be read", f"more than {MOST_SAMPLES:,} samples; split it")


def _check_riff_size(name: str) -> None:
    """Raise AudioError for a wav whose data chunk is larger than the file; libsndfile shortens it silently."""
    with open(name, "rb") as file:
        if file.read(4) != b"RIFF":
            return
        size = os.fstat(file.fileno()).st_size
        position = 12
        while position + 8 <= size:
            file.seek(position)
            header = file.read(8)
            length = int.from_bytes(header[4:], "little")
            if header[:4] == b"data":
                available = size - position - 8
                if available < length < UNKNOWN_SIZE:
                    detail = f"{available} of the {length} bytes that its header promises"
                    raise AudioError(name, "truncated audio file", detail)
                return
            position += 8 + length + length % 2


def _check_last_ogg_page(name: str) -> None:
    """Raise AudioError if the last page is incomplete; Ogg has only the length of each page (RFC 3533, section 6)."""
    with open(name, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * 65307))  # twice the largest page, so that a whole page is included
        tail = file.read()
    page = tail.rfind(b"OggS\0")
    header = tail[page : page + 27]
    segments = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
    complete = page >= 0 and len(header) == 27 and len(segments) == header[26]
    if not complete or page + 27 + len(segments) + sum(segments) > len(tail):
        raise AudioError(name, "truncated audio file", "the last page is incomplete")


def _decode_av(name: str) -> tuple[np.ndarray, int, int]:
    raw = "g722" if name.lower().endswith(".g722") else None  # without a header, so PyAV cannot detect the format
    # FFmpeg would fetch the files in a playlist, whatever its suffix
    with av.open(f"file:{name}", format=raw, options={"protocol_whitelist": "file"}) as container:
        if container.format.name in PLAYLISTS:
            raise AudioError(name, "unreadable audio file", "it is a playlist")
        if not container.streams.audio:
            raise AudioError(name, "unreadable audio file", "it has no audio stream")
        stream = container.streams.audio[0]
        frames, count = [], 0
        for frame in container.decode(stream):
            frames.append(frame)
            count += frame.samples * len(frame.layout.channels)
            _check_count(name, count)
        # other containers have no length, or an estimate
        known = stream.duration is not None and "mp4" in container.format.name
        promised = float(stream.duration * stream.time_base) if known else 0.0
    if not frames:
        raise AudioError(name, "empty audio file", "no samples")
    samples = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    if not frames[0].format.is_planar:  # (1, samples * channels), interleaved
        samples = samples.reshape(-1, frames[0].layout.nb_channels).T
    samples, rate = _to_float(samples), frames[0].sample_rate
    seconds = samples.shape[1] / rate
    if seconds < promised * 0.95 - 0.1:
        detail = f"{seconds:.2f} of the {promised:.2f} seconds that its header promises"
        raise AudioError(name, "truncated audio file", detail)
    return samples, rate, 0


def _to_float(samples: np.ndarray) -> np.ndarray:
    """Convert integers of any width to float32 in [-1, 1); float samples stay as they are."""
    kind = samples.dtype.kind
    if kind == "f":
        return samples.astype(np.float32, copy=False)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    return ((samples - half if kind == "u" else samples) / half).astype(np.float32)


def _cut(name: str, samples: np.ndarray, rate: int, first: int, start: float | None, end: float | None) -> np.ndarray:
    """Cut (channels, samples) to [start, end) in seconds; `first` is the position of the first sample in the file."""
    if start is None and end is None:
        return samples
    begin = round((start or 0.0) * rate) - first
    stop = samples.shape[1] if end is None else round(end * rate) - first
    if stop - samples.shape[1] > SEGMENT_TOLERANCE * rate or begin >= samples.shape[1]:
        seconds = (first + samples.shape[1]) / rate
        detail = f"{start or 0.0} to {end} s of a file of {seconds:.3f} s"
        raise AudioError(name, "segment past the end", detail)
    return samples[:, max(0, begin) : stop]
