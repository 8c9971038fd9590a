"""The two readers of audio files, and the choice between them by the first bytes of a file.

soundfile reads wav, flac, ogg, opus, aiff, au, w64, caf and NIST sphere. PyAV reads all other formats, and what
soundfile refuses of those: codecs such as G.726, headers that were never closed. The length
is always that of the decoded samples. docs/readers.md lists how a truncated file of each format is noticed.
"""

import hashlib
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

from sure.data.containers import Refused, container_problem, joined, open_source
from sure.errors import SureError

SOUNDFILE_SUFFIXES = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".au", ".w64", ".sph"}
AUDIO_SUFFIXES = SOUNDFILE_SUFFIXES | {".g722", ".mp4", ".m4a", ".aac", ".webm", ".mka"}
# libsndfile's names of the formats in which it seeks to the exact sample
SEEKABLE = {"WAV", "WAVEX", "FLAC", "AIFF", "AU", "W64", "RF64", "NIST", "CAF"}
SOUNDFILE_STARTS = (
    b"RIFF",
    b"RIFX",
    b"RF64",
    b"fLaC",
    b"OggS",
    b"FORM",
    b".snd",
    b"NIST_1A",
    b"caff",
    b"riff\x2e\x91\xcf\x11",
)
# mp3 and AAC, Matroska, mp4, WMA, Flash, AMR, AC-3, True Audio, WavPack, Monkey's Audio, DSD, RealMedia
AV_STARTS = re.compile(
    rb"ID3|ADIF|\xff[\xe0-\xff]|\x1aE\xdf\xa3|.{4}ftyp|\x30\x26\xb2\x75|FLV|#!AMR|\x0bw|TTA1|wvpk|MAC |DSD |FRM8|\.RMF",
    re.DOTALL,
)
NOT_AUDIO = {  # first bytes of other files
    b"version https://git-lfs": "a reference of Git LFS instead of the file; fetch it: git lfs pull",
    b"<": "a web page or XML, perhaps instead of a download; download it again",
    b"\x1f\x8b": "compressed with gzip; unpack it",
    b"PK\3\4": "a zip archive; unpack it",
}
# soundfile raises subclasses of RuntimeError; a damaged file can request any amount of memory
DECODING_ERRORS = (OSError, ValueError, IndexError, RuntimeError, MemoryError, SureError, av.error.FFmpegError)
MOST_SAMPLES = 400_000_000  # of all channels, over an hour of 48 kHz stereo; a small file can contain days of silence
PLAYLISTS = {"hls", "dash", "concat", "concatf"}  # FFmpeg's names
BLOCK = 1 << 20
MARGIN = 0.1  # seconds by which a promised length may exceed the decoded one: codecs delay and pad the signal
LOSSLESS = {"flac", "tta", "wv"}  # FFmpeg's names of formats whose headers have the exact length

TRUNCATED = "truncated audio file"

Source = str | bytes  # a path, or the content of a file


@dataclass
class Channels:
    """Decoded samples (channels, samples), whose first one is at position `first` of the file."""

    samples: np.ndarray
    rate: int
    first: int = 0
    truncated: str = ""  # why the file is known to be longer than its samples

    @property
    def stop(self) -> int:
        """Position in the file after the last sample."""
        return self.first + self.samples.shape[1]


def read_channels(source: Source, start: float | None = None, end: float | None = None, name: str = "") -> Channels:
    """The samples of a file, or of any part that includes `start` to `end` (seconds).

    name: of the file whose content `source` is; formats without a header are known by its suffix. Raises one of
    DECODING_ERRORS, that of the first reader, if no reader gets any sample.
    """
    first_error: Exception | None = None
    for read in _readers(source, source if isinstance(source, str) else name):
        try:
            channels = read(source, start, end)
        except Refused:
            raise
        except DECODING_ERRORS as error:
            first_error = first_error or error
            continue
        if channels.samples.size or channels.first:
            if start is None and end is None and not channels.truncated:
                _check_md5(source, channels.samples)
            return channels
        if channels.truncated:
            raise Refused(TRUNCATED, channels.truncated)
    raise first_error or Refused("empty audio file", "no samples")


def _check_md5(source: Source, samples: np.ndarray) -> None:
    """Raise Refused for a flac whose (channels, samples) differ from the MD5 sum in its header: no reader compares."""
    with open_source(source) as file:
        header = file.read(42)
    bits, wanted = (int.from_bytes(header[18:26], "big") >> 36 & 31) + 1, header[26:]  # RFC 9639, section 8.2
    if header.startswith(b"fLaC") and bits % 8 == 0 and any(wanted):
        integers = (samples.T * 2.0 ** (bits - 1)).astype("<i4").reshape(-1, 1).view(np.uint8)
        if hashlib.md5(integers[:, : bits // 8].tobytes()).digest() != wanted:
            raise Refused("damaged audio file", "its samples differ from the MD5 sum in its header; copy it again")


def _readers(source: Source, name: str) -> tuple[Callable[[Source, float | None, float | None], Channels], ...]:
    """The readers to try, in this order. Raises SureError for bytes that contradict the suffix of the file.

    soundfile reads no mp3: libsndfile stops at the length in the first header, or where it estimates the end.
    """
    with open_source(source) as file:
        start = file.read(32)
    suffix = Path(name).suffix.lower()
    if start.startswith(SOUNDFILE_STARTS):
        return (_read_soundfile, _read_av)
    if suffix == ".g722":  # without a header: any first byte may be its own
        return (_read_av, _read_g722) if AV_STARTS.match(start) else (_read_g722,)
    if AV_STARTS.match(start):
        return (_read_av,)
    for first, kind in NOT_AUDIO.items():
        if start.startswith(first):
            raise SureError(f"it is {kind}")
    if suffix in SOUNDFILE_SUFFIXES - {".mp3"}:  # before the first frame of an mp3 there may be padding
        raise SureError(f"it begins with {start[:8]!r}, as no known format of audio does")
    return (_read_av,)


def _read_soundfile(source: Source, start: float | None, end: float | None) -> Channels:
    with soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
        if file.subtype.startswith("MPEG"):
            raise SureError("the length of an mp3 is an estimate")
        frames, rate, truncated = file.frames, file.samplerate, ""
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
            _check_count(count * file.channels)
        truncated = _ogg_problem(source) if file.format == "OGG" else container_problem(source)
        if count < wanted and frames < 1 << 60:
            truncated = f"{first + count} of the {frames} samples that its header promises"
    if start is None and end is None and joined(source):  # of the whole file only: it is read once more
        raise Refused("joined audio files", "it has several streams, one after another; split it, or convert it")
    samples = np.concatenate(blocks).T if blocks else np.zeros((1, 0), np.float32)
    return Channels(samples, rate, first, truncated)


def _check_count(samples: int) -> None:
    if samples > MOST_SAMPLES:
        raise Refused("too long to be read", f"more than {MOST_SAMPLES:,} samples; split it")


def _ogg_problem(source: Source) -> str:
    """Why an Ogg file is truncated: its last page is; Ogg has only the length of each page (RFC 3533, section 6)."""
    with open_source(source) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * 65307))  # twice the largest page, so that a whole page is included
        tail = file.read()
    page = tail.rfind(b"OggS\0")
    header = tail[page : page + 27]
    segments = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
    complete = page >= 0 and len(header) == 27 and len(segments) == header[26]
    whole = complete and page + 27 + len(segments) + sum(segments) <= len(tail)
    return "" if whole else "the last page is incomplete"


def _has_length(source: Source) -> bool:
    """Whether an mp3 has a header with the number of its frames: Xing, or Info."""
    with open_source(source) as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:  # its size has 7 bits a byte
            file.seek(10 + sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)))
            head = b""
        head += file.read(64)
    found = re.search(rb"(?:Xing|Info)...(.)", head, re.DOTALL)
    return found is not None and bool(found[1][0] & 1)


def _read_g722(source: Source, start: float | None, end: float | None) -> Channels:
    return _read_av(source, start, end, "g722")


def _read_av(source: Source, start: float | None, end: float | None, format: str | None = None) -> Channels:
    # FFmpeg would fetch the files in a playlist, whatever its suffix
    place = io.BytesIO(source) if isinstance(source, bytes) else f"file:{source}"
    options = {"protocol_whitelist": "file"}
    try:
        container = av.open(place, format=format, options=options)
    except av.error.InvalidDataError:
        raise SureError("FFmpeg finds no audio in it: it has another format, or its index is missing") from None
    with container:
        if container.format.name in PLAYLISTS:
            raise SureError("it is a playlist")
        if not container.streams.audio:
            raise SureError("it has no audio stream")
        if len(container.streams.audio) > 1:
            count = f"{len(container.streams.audio)} audio streams; write one of them to a file"
            raise Refused("several audio streams", f"{count}, such as: ffmpeg -i FILE -map 0:a:0 FILE.flac")
        stream, name = container.streams.audio[0], container.format.name
        frames, complete = _decode_frames(container, stream)
        if len({(frame.sample_rate, frame.layout.name) for frame in frames}) > 1:
            raise Refused("joined audio files", "its sampling rate or number of channels changes; split it")
        promised = _promised_seconds(source, container, stream)
    if frames:
        samples, rate = np.concatenate([frame.to_ndarray() for frame in frames], axis=1), frames[0].sample_rate
        if not frames[0].format.is_planar:  # (1, samples * channels), interleaved
            samples = samples.reshape(-1, frames[0].layout.nb_channels).T
    else:
        samples, rate = np.zeros((1, 0), np.float32), stream.rate or 1
    seconds, truncated = samples.shape[1] / rate, container_problem(source)
    if name == "ogg":
        truncated = _ogg_problem(source)
    if not complete:
        truncated = "the last packet is incomplete"
    if samples.shape[1] < round(rate * (promised if name in LOSSLESS else promised * 0.95 - MARGIN)):
        truncated = f"{seconds:.2f} of the {promised:.2f} seconds that its header promises"
    return Channels(to_float(samples), rate, 0, truncated)


def _decode_frames(container: av.container.InputContainer, stream: av.AudioStream) -> tuple[list[av.AudioFrame], bool]:
    """All frames, and whether the last packet is whole. (After the last frame of an mp3 there may be tags.)"""
    frames: list[av.AudioFrame] = []
    count, failure = 0, None
    for packet in container.demux(stream):
        if failure and packet.size:
            raise failure
        try:
            decoded = packet.decode()
        except av.error.InvalidDataError as error:
            failure = error
            continue
        frames += decoded
        count += sum(frame.samples * len(frame.layout.channels) for frame in decoded)
        _check_count(count)
    return frames, failure is None or container.format.name == "mp3"


def _promised_seconds(source: Source, container: av.container.InputContainer, stream: av.AudioStream) -> float:
    """The length in the header of an mp4, Matroska, mp3 or LOSSLESS file; 0 where FFmpeg may estimate it."""
    name = container.format.name
    exact = "mp4" in name or name in LOSSLESS or (name == "mp3" and _has_length(source))
    if exact and stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if "matroska" in name and container.duration is not None:
        with open_source(source) as file:
            if b"\x44\x89" in file.read(4096):  # the element Duration (RFC 9559)
                return container.duration / av.time_base
    return 0.0


def to_float(samples: np.ndarray) -> np.ndarray:
    """Convert integers of any width to float32 in [-1, 1); float samples stay as they are."""
    kind = samples.dtype.kind
    if kind == "f":
        return samples.astype(np.float32, copy=False)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    return ((samples - half if kind == "u" else samples) / half).astype(np.float32)
