"""Lengths in the headers of audio files: libsndfile shortens them silently to the size of the file."""

import io
import mmap
import os
import re
from typing import BinaryIO, NamedTuple

from sure.errors import SureError

# least size in the header of a wav that was written to a pipe, where the real size was unknown
UNKNOWN_SIZE = 0x7FFFF000


class Refused(SureError):
    """A file that can be read, but not be used; `reason` is the kind of error, for counting."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


class Chunks(NamedTuple):
    """Chunks with an id, a size and a content, from `first` on; `data` is the id of the audio.

    own: bytes of the chunk's header that its size counts; align: of the next chunk.
    """

    first: int
    id_bytes: int
    size_bytes: int
    order: str
    data: bytes
    own: int = 0
    align: int = 2


CHUNKS = {
    b"RIFF": Chunks(12, 4, 4, "little", b"data"),
    b"RIFX": Chunks(12, 4, 4, "big", b"data"),
    b"RF64": Chunks(12, 4, 4, "little", b"data"),
    b"FORM": Chunks(12, 4, 4, "big", b"SSND"),
    b"caff": Chunks(8, 4, 8, "big", b"data", align=1),
    b"riff": Chunks(40, 16, 8, "little", b"data", own=24, align=8),  # Sony Wave64
}
# of a second file after the first: a page of Ogg that begins a stream after one that does not, and a header of FLAC
OGG = re.compile(rb"OggS\0[\0\1\4\5].*?OggS\0[\2\3]", re.DOTALL)
FLAC = re.compile(rb".fLaC[\0\x80]\0\0\x22", re.DOTALL)


def open_source(source: str | bytes) -> BinaryIO:
    """A file, by its path or content."""
    return io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")


def container_problem(source: str | bytes) -> str:
    """Why a file is truncated, by the size of the audio in its header; empty if it is not, or that is unknown.

    Raises Refused for a wav with more audio, or other bytes than chunks and tags, after its audio.
    """
    with open_source(source) as file:
        start = file.read(1024)
        size = file.seek(0, os.SEEK_END)
        if start[:4] == b".snd":
            offset, promised = int.from_bytes(start[4:8], "big"), int.from_bytes(start[8:12], "big")
            return _missing(size - offset, promised) if promised < UNKNOWN_SIZE else ""
        if start.startswith(b"NIST_1A") and b"shorten" not in start:
            found = dict(re.findall(rb"(sample_count|channel_count|sample_n_bytes) -[is]\d* (\d+)", start))
            samples, width = (int(found.get(name, 0)) for name in (b"sample_count", b"sample_n_bytes"))
            return _missing(size - int(start[8:16]), samples * width * int(found.get(b"channel_count", 1)))
        return _chunk_problem(file, size, start) if start[:4] in CHUNKS else ""


def _chunk_problem(file: BinaryIO, size: int, start: bytes) -> str:
    chunks = CHUNKS[start[:4]]
    position, header_bytes = chunks.first, chunks.id_bytes + chunks.size_bytes
    while position + header_bytes <= size:
        file.seek(position)
        header = file.read(header_bytes)
        length = int.from_bytes(header[chunks.id_bytes :], chunks.order) - chunks.own
        content = position + header_bytes
        if header.startswith(chunks.data):
            if start[:4] == b"RF64" and length == 0xFFFFFFFF:
                length = int.from_bytes(start[28:36], "little")  # in the chunk ds64, which is the first
            if start[:4] == b"RIFF" and 0 < length < size - content:
                _check_rest(file, content + length + length % 2, size)
            unknown = chunks.size_bytes == 4 and length >= UNKNOWN_SIZE and start[:4] != b"RF64"
            return "" if unknown or length >= 1 << 62 else _missing(size - content, length)
        position = content + length + -length % chunks.align
    return ""


def _check_rest(file: BinaryIO, position: int, size: int) -> None:
    """Raise Refused unless chunks, tags (ID3v1, ID3v2) or zeros follow the audio."""
    while position < size:
        file.seek(position)
        header = file.read(8)
        if len(header) < 8 or not any(header[:4]) or header.startswith((b"TAG", b"ID3")):
            return
        if header.startswith((b"RIFF", b"data")) or not re.fullmatch(rb"[A-Za-z0-9 _-]{4}", header[:4]):
            detail = (
                f"{size - position} bytes follow the audio that its header names; write its header again, or split it"
            )
            raise Refused("joined audio files", detail)
        length = int.from_bytes(header[4:], "little")
        position += 8 + length + length % 2


def _missing(available: int, promised: int) -> str:
    return f"{available} of the {promised} bytes that its header promises" if available < promised else ""


def joined(source: str | bytes) -> bool:
    """Whether a second Ogg or FLAC file follows the first, of which libsndfile reads only the first."""
    if isinstance(source, bytes):
        return _has_second(source)
    with open(source, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _has_second(content)


def _has_second(content: bytes | mmap.mmap) -> bool:
    patterns = {b"OggS": OGG, b"fLaC": FLAC}
    pattern = patterns.get(bytes(content[:4]))
    return pattern is not None and pattern.search(content) is not None
