"""Inputs of stages that are many files: a folder as one digest, and recordings that changed since stage 2.

A look at 100,000 files takes a second or two; it needs no installed package.
"""

import hashlib
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

DIGESTS = "recordings.sha256"  # in a data folder: `digest  path` of each recording, as sha256sum writes it
STATES = ".marks/recordings"  # `bytes time path` of each recording
LARGE = 64 << 20  # bytes
BLOCK = 1 << 16
# Files that count by size and time: reading the audio of a corpus at each call would take minutes.
BY_TIME = tuple(
    ".wav .flac .mp3 .ogg .oga .opus .m4a .aac .sph .wv1 .wv2 .aif .aiff .au .amr .wma .caf .w64 .pcm .raw .ark .mp4 "
    ".mkv .avi .webm .mov .zip .tar .gz .tgz .bz2 .xz .7z .parquet .npy .npz .pt .bin .safetensors .h5".split()
)
UTF16 = (b"\xff\xfe", b"\xfe\xff")  # first bytes of a text with zero bytes


class Recording(NamedTuple):
    """A file of audio when stage 2 read it."""

    sha256: str
    bytes: int
    time: int  # of its last change, in nanoseconds


def read_recording(path: str) -> Recording:
    """Raises OSError for a file that cannot be read."""
    found = os.stat(path)  # before reading: a change meanwhile is noticed later
    return Recording(_known_sha256(path, found.st_size, found.st_mtime_ns), found.st_size, found.st_mtime_ns)


def recording_tables(recordings: Mapping[str, Recording]) -> dict[str, str]:
    """The files of a data folder that describe its recordings by path."""
    rows = sorted(recordings.items())
    states = "".join(f"{one.bytes} {one.time} {path}\n" for path, one in rows)
    return {DIGESTS: "".join(f"{one.sha256}  {path}\n" for path, one in rows), STATES: states}


def digest_of_recordings(folder: str) -> str:
    """Digest of the content of all recordings of a data folder in stage 2; empty for those of earlier versions."""
    table = Path(folder) / DIGESTS
    if not table.is_file():
        return ""
    found = sorted(line[:64] for line in table.read_text(encoding="utf-8").split("\n"))
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def first_changed(folder: str) -> str:
    """The first recording whose size or time is not that in stage 2; empty if there is none, or nothing is known."""
    try:
        with open(os.path.join(folder, STATES), encoding="utf-8", newline="\n") as file:
            for line in file:
                size, time, path = line.rstrip("\n").split(" ", 2)
                if _state(path) != f"{size} {time}":
                    return path
    except (OSError, ValueError):
        return ""
    return ""


def changed_content(folder: Path) -> Iterator[str]:
    """The recordings whose content is not the one in stage 2."""
    table = folder / DIGESTS
    for line in table.read_text(encoding="utf-8").split("\n") if table.is_file() else []:
        digest, _, path = line.partition("  ")
        if os.path.isfile(path) and _sha256(path) != digest:
            yield path


def digest_of_folder(folder: str) -> str:
    """Digest of the names of all files and of their content; of audio, archives and large files the size and time.

    Hidden files, README.md, and the outputs data/ and exp/ of the recipe in the current folder do not count. Recordings
    that a `wav.scp` names count, wherever they are.
    """
    digest, folder = hashlib.sha256(), folder.rstrip("/") or "/"
    for path in sorted(_files(folder)):
        lines = [f"{path[len(folder) :]}\0{_content(path)}"]
        if path.endswith("/wav.scp"):
            lines += [f"{name}\0{_state(name)}" for name in _named(path)]
        digest.update("\n".join([*lines, ""]).encode(errors="surrogateescape"))
    return digest.hexdigest()


def _files(folder: str) -> Iterator[str]:
    """All files below a folder, in any order, each folder once, with those that links name."""
    known = {os.path.realpath(name) for name in ("data", "exp")} - {os.path.realpath(folder)}
    folders = [folder]
    while folders:
        where = folders.pop()
        if os.path.realpath(where) in known:
            continue
        known.add(os.path.realpath(where))
        try:
            entries = list(os.scandir(where))
        except OSError:
            entries = []
        for entry in entries:
            if entry.name.startswith(".") or entry.name in ("README.md", "__pycache__"):
                continue
            if os.path.isdir(entry.path):
                folders.append(entry.path)
            else:
                yield entry.path


def _content(path: str) -> str:
    """The digest of a file's content, or its size and time."""
    if os.path.isfile(path) and not path.lower().endswith(BY_TIME):  # opening a pipe would wait for its writer
        try:
            with open(path, "rb") as file:
                start = file.read(BLOCK)
                is_text = b"\0" not in start or start.startswith(UTF16)
                if len(start) < BLOCK or (is_text and os.fstat(file.fileno()).st_size <= LARGE):
                    return hashlib.sha256(start + file.read()).hexdigest()
        except OSError:
            pass
    return _state(path)


def _state(path: str) -> str:
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:  # no such file, or a name that cannot be one
        return type(error).__name__
    return f"{found.st_size} {found.st_mtime_ns}"


def _named(scp: str) -> Iterable[str]:
    """The files in a wav.scp, those of its commands too, which may start from a folder above (sure.corpus)."""
    folder = Path(scp).absolute().parent
    bases = ("", *map(str, (folder.parent.parent, folder.parent, folder)))
    try:
        lines = Path(scp).read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:  # deleted meanwhile
        return
    for line in lines:
        value = line.strip().partition(" ")[2].strip()
        if value.endswith("|") or value.startswith("|"):
            places = (os.path.join(base, word) for word in _words(value) for base in bases)
            yield from filter(os.path.isfile, places)
        else:
            yield value


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


@lru_cache(maxsize=64)
def _known_sha256(path: str, size: int, time: int) -> str:
    """For archives, which have many recordings."""
    return _sha256(path)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(partial(file.read, BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()
