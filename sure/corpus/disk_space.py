"""Checks of free disk space before archives are downloaded and unpacked."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from sure.corpus.sources import Archive, Fetched
from sure.errors import SureError, some_of

NAMED = 3  # archives in a message
UNPACKED = 1.3  # expected size after unpacking / size of the archive: speech hardly compresses


def require_room_to_fetch(waiting: Sequence[Archive], archives: Path) -> None:
    """Raise SureError if the archives and their unpacked files do not fit on the disk, as far as sizes are known.

    Bytes that are in the folder `archives` already are not counted.
    """
    needs = {item.file_name: _still_needed(item, archives / item.file_name) for item in waiting}
    if any(needs.values()):
        archives.mkdir(exist_ok=True)
        names = [name for name, need in needs.items() if need]
        require_space(archives, sum(needs.values()), f"fetching {some_of(names, NAMED)}")


def require_room_to_unpack(fetched: Sequence[tuple[Fetched, Sequence[Path]]], corpus: Path) -> None:
    """Raise SureError if the unpacked files do not fit: sizes that sources.yaml lacks are known after the download."""
    needed = sum(_unpacked(item, file.stat().st_size) for item, files in fetched for file in files)
    names = [file.name for _, files in fetched for file in files]
    require_space(corpus, needed, f"unpacking {some_of(names, NAMED)}")


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise SureError if the disk of `folder` has fewer than `needed` free bytes."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SureError(
            f"{what} needs {needed / 1e9:.2f} GB, but {folder} has {free / 1e9:.2f} GB free; "
            "free some space or choose another folder"
        )


def size_of(file: Path) -> int:
    """Bytes of a file; 0 if it does not exist."""
    return file.stat().st_size if file.is_file() else 0


def _still_needed(item: Archive, file: Path) -> int:
    there = size_of(file)
    if item.bytes is None:
        return _unpacked(item, there)
    if there != item.bytes:  # another file, which is replaced when the download is complete
        there = size_of(file.with_name(file.name + ".part"))
    return max(0, item.bytes - there) + _unpacked(item, item.bytes)


def _unpacked(item: Fetched, size: int) -> int:
    """Estimated size of the unpacked content of `size` bytes."""
    return int(size * UNPACKED * (2 if item.nested else 1)) if item.unpack else size
