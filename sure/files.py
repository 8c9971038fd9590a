"""Files that are whole at every instant: written beside, brought to the disk, and renamed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sure.errors import SureError


class Sink:
    """What a function writes to; it remembers an OSError that a library hides behind an error of its own."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.error: OSError | None = None

    def write(self, content: bytes | memoryview) -> int:
        try:
            return self.file.write(content)
        except OSError as error:
            self.error = error
            raise


def replace_file(path: Path, content: bytes | str | Callable[[Sink], object]) -> None:
    """Put `content`, or what the function writes, in the place of `path`.

    Raises SureError when it cannot be written, on a full disk say: then the file that was there stays.
    """
    beside = path.with_name(path.name + ".partial")
    sink = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb") as file:
            sink = Sink(file)
            if callable(content):
                content(sink)
            else:
                sink.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):  # no folder is there, say
            beside.unlink(missing_ok=True)
        reason = error if isinstance(error, OSError) else sink.error if sink else None
        if reason is None:
            raise
        raise SureError(
            f"cannot write {path}: {reason.strerror}; what was there before is kept; "
            "make room and run the same command again"
        ) from None


@contextmanager
def one_at_a_time(folder: Path, waiting: str = "") -> Iterator[None]:
    """Wait for other processes that are here with the same folder, which is made; `waiting` is printed meanwhile.

    The file `.lock` in it stays. The system ends the lock with us.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                print(waiting, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sync_folder(folder: Path) -> None:
    """Bring renames in `folder` to the disk, in their order, so that they survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
