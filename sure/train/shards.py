"""Shards of the prefix cache: safetensors files in a folder, or the same bytes in memory.

A shard is used only if its key, number, names, sizes and checksums are right. Any other file counts as missing.
"""

import fcntl
import json
import os
import shutil
import uuid
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from sure.errors import SureError

ABOUT = "about.json"  # in the folder of a cache: the facts that its key is a digest of
FORMAT = "prefix cache of SURE, version 1"
SPARE_BYTES = 1e9  # of the disk, which no cache takes
REMEDY = "free space, or use no disk with train.prefix_cache_disk_gigabytes=0 (run.sh: --cache_gb 0)"


@dataclass(frozen=True)
class Place:
    """Where the tensor (taps, time, dim) of an item is."""

    shard: int
    offset: int  # in bytes
    frames: int


@dataclass(frozen=True)
class Layout:
    """Content of a cache. key: digest of all that its numbers depend on; shards: the numbers of the items of each."""

    key: str
    shards: Sequence[Sequence[int]]
    dtype: torch.dtype
    taps: int
    dim: int

    def pack(self, number: int, tensors: Mapping[int, Tensor]) -> bytes:
        """The bytes of a shard. tensors: (taps, time, dim) of each item."""
        named = {str(item): tensor for item, tensor in tensors.items()}
        return safetensors.torch.save(named, self._facts(number, named))

    def places(self, number: int, content: bytes) -> dict[int, Place] | None:
        """The places of all items of a shard; None unless this is the complete, undamaged shard of this cache."""
        start = 8 + int.from_bytes(content[:8], "little")  # of the numbers: after the length of the header, and itself
        try:
            tensors = safetensors.torch.load(content)  # compares shapes and offsets with the size
            header = json.loads(content[8:start])
        except (SafetensorError, ValueError, KeyError):
            return None
        items = {str(item): item for item in self.shards[number]}
        if tensors.keys() != items.keys() or header.get("__metadata__") != self._facts(number, tensors):
            return None
        if any(one.dtype != self.dtype or one.shape[::2] != (self.taps, self.dim) for one in tensors.values()):
            return None
        return {
            item: Place(number, start + header[name]["data_offsets"][0], tensors[name].shape[1])
            for name, item in items.items()
        }

    def _facts(self, number: int, tensors: Mapping[str, Tensor]) -> dict[str, str]:
        sums = {name: str(zlib.crc32(as_bytes(tensor))) for name, tensor in tensors.items()}
        return {"cache": self.key, "shard": str(number), **sums}


class MemoryShards:
    """Shards in the memory of this process."""

    name = "in memory"
    shared = False  # with other processes

    def __init__(self) -> None:
        self.contents: dict[int, bytes] = {}

    def get(self, number: int) -> bytes | None:
        return self.contents.get(number)

    def put(self, number: int, content: bytes) -> None:
        self.contents[number] = content

    def read(self, place: Place, buffers: Sequence[memoryview]) -> None:
        """Fill the buffers, in order, with the bytes from `place.offset`."""
        content, offset = memoryview(self.contents[place.shard]), place.offset
        for buffer in buffers:
            buffer[:] = content[offset : offset + len(buffer)]
            offset += len(buffer)


class FolderShards:
    """Shards in files. Files are read by position, without mapping, so the memory of the process stays the same."""

    shared = True

    def __init__(self, folder: Path):
        """Mark the cache as in use until the process ends, so that no other training removes it."""
        self.folder, self.name = folder, f"in {folder}"
        self.lock = (folder / ".lock").open("a")
        fcntl.flock(self.lock, fcntl.LOCK_SH)
        os.utime(folder / ABOUT)

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.safetensors"

    def get(self, number: int) -> bytes | None:
        try:
            return self.path(number).read_bytes()
        except OSError:
            return None

    def put(self, number: int, content: bytes) -> None:
        """Raises SureError where the file cannot be written. Trainings that write one shard write the same bytes."""
        path = self.path(number)
        try:
            if path.is_dir():
                shutil.rmtree(path)
            _write(path, content)
        except OSError as error:
            raise SureError(f"cannot write {path}: {error.strerror}; {REMEDY}") from None

    def read(self, place: Place, buffers: Sequence[memoryview]) -> None:
        """Fill the buffers, in order, with the bytes from `place.offset`. Raises SureError if the file has changed."""
        path = self.path(place.shard)
        try:
            file = os.open(path, os.O_RDONLY)
            try:
                count = os.preadv(file, buffers, place.offset)
            finally:
                os.close(file)
        except OSError as error:
            raise SureError(f"cannot read {path}: {error.strerror}; run the same command again") from None
        if count != sum(map(len, buffers)):
            raise SureError(f"{path} was changed while it was in use; run the same command again")


def open_folder(cache: Path, about: Mapping[str, object], size: float, allowed: float) -> str:
    """Make the folder of a cache, and room on its disk. Returns why that is impossible, or an empty string.

    about: facts for a reader; size: bytes of the whole cache; allowed: bytes of all caches in the parent folder. If
    there is too little room, caches that no training uses are removed from the parent folder, the oldest use first.
    """
    folder = cache.parent
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not _is_cache(cache):
            _write(cache / ABOUT, json.dumps({"format": FORMAT, **about}, indent=1).encode())
        missing = size - _size(cache)
        others = [one for one in folder.iterdir() if one != cache and _is_cache(one)]
        taken = sum(map(_size, others))
        for other in sorted(others, key=lambda one: (one / ABOUT).stat().st_mtime_ns):
            if missing <= 0 or _fits(folder, missing, size + taken, allowed):
                break
            taken -= _remove_unused(other)
        if missing > 0 and not _fits(folder, missing, size + taken, allowed):
            return f"{missing / 1e6:.0f} MB more do not fit on the disk of {folder}"
    except OSError as error:
        return f"{cache}: {error.strerror}"
    return ""


def _write(path: Path, content: bytes) -> None:
    """Readers see no file or the whole one, also where several trainings write it. A file torn by a power failure is
    found by its checksums, so there is no fsync.
    """
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _is_cache(folder: Path) -> bool:
    """Whether a folder is a cache of this format; no other folder is ever removed."""
    try:
        return json.loads((folder / ABOUT).read_bytes())["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _fits(folder: Path, missing: float, total: float, allowed: float) -> bool:
    return total <= allowed and missing + SPARE_BYTES <= shutil.disk_usage(folder).free


def _remove_unused(cache: Path) -> int:
    """Remove a cache, unless a training uses it. Returns the bytes that this freed."""
    size = _size(cache)
    with suppress(OSError), (cache / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(cache)
        return size
    return 0


def _size(cache: Path) -> int:
    with suppress(OSError):
        return sum(entry.stat().st_size for entry in os.scandir(cache))
    return 0


def as_bytes(tensor: Tensor) -> memoryview:
    """The memory of a contiguous tensor on the CPU."""
    return memoryview(tensor.flatten().view(torch.uint8).numpy())
