"""Whether a disk has room for what is fetched and unpacked, asked before either begins."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from sure.corpus.sources import Archive, Item, PythonPackage
from sure.errors import SureError

NAMED = 3  # archives in a message
UNPACKED = 1.3  # times the archive: speech hardly compresses


def require_room_to_fetch(waiting: Sequence[Archive], archives: Path) -> None:
    """Raises SureError when these do not fit, with what comes out of them, as far as sizes are known.

    An archive or a part of it that is in the folder `archives` already needs no more room.
    """
    needs = {item.file_name: _still_needed(item, archives / item.file_name) for item in waiting}
    if any(needs.values()):
        archives.mkdir(exist_ok=True)
        require_space(archives, sum(needs.values()), "fetching " + _named(name for name, need in needs.items() if need))


def require_room_to_unpack(fetched: Sequence[tuple[Item, Sequence[Path]]], corpus: Path) -> None:
    """Now that all are there, the sizes are known that sources.yaml has not. Raises SureError."""
    needed = sum(_unpacked(item, file.stat().st_size) for item, files in fetched for file in files)
    require_space(corpus, needed, "unpacking " + _named(file.name for _, files in fetched for file in files))


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raises SureError when the disk of `folder` has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SureError(
            f"{what} needs {needed / 1e9:.2f} GB, but {folder} has {free / 1e9:.2f} GB free; "
            "free some space or choose another folder"
        )


def _still_needed(item: Archive, file: Path) -> int:
    there = file.stat().st_size if file.is_file() else 0
    if item.bytes is None:
        return _unpacked(item, there)
    if there != item.bytes:  # another one, which is replaced when its successor is complete
        part = file.with_name(file.name + ".part")
        there = part.stat().st_size if part.is_file() else 0
    return max(0, item.bytes - there) + _unpacked(item, item.bytes)


def _unpacked(item: Item, size: int) -> int:
    """Bytes that come out of `size` bytes, about."""
    if isinstance(item, PythonPackage) or (isinstance(item, Archive) and not item.unpack):
        return size
    return int(size * UNPACKED * (2 if isinstance(item, Archive) and item.nested else 1))


def _named(names: Iterable[str]) -> str:
    """The first names: a corpus may be many archives."""
    names = list(names)
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
