"""Atomic writes (temporary file, fsync, rename), a lock for a folder, and SHA-256 digests."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sure.errors import SureError, remedy_for

CHUNK = 1 << 20  # bytes read at once


class Sink:
    """A file open for writing that remembers its OSError, which a library may replace by an error of its own."""

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
    """Write `content`, or the output of the function, to `path`; readers see the old file or the new one.

    Raises SureError when writing fails, for example on a full disk; the old file then stays.
    """
    partial = path.with_name(path.name + ".partial")
    sink = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file:
            sink = Sink(file)
            if callable(content):
                content(sink)
            else:
                sink.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):  # the parent folder may not exist
            partial.unlink(missing_ok=True)
        reason = error if isinstance(error, OSError) else sink.error if sink else None
        if reason is None:
            raise
        raise SureError(
            f"cannot write {path}: {reason.strerror}; the file that was there before is kept; {remedy_for(reason)}"
        ) from None


def replace_folder(folder: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a new, empty folder and put it in the place of `folder`; if `write` fails, `folder` stays."""
    partial, before = folder.with_name(folder.name + ".partial"), folder.with_name(folder.name + ".before")
    for leftover in (partial, before):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        write(partial)
        if folder.exists():
            os.rename(folder, before)
        os.rename(partial, folder)
    finally:
        for leftover in (partial, before):
            shutil.rmtree(leftover, ignore_errors=True)


def sha256_of_file(path: Path) -> str:
    """SHA-256 of the content of a file, as 64 hex digits."""
    return digest_of_file(path, "sha256")


def digest_of_file(path: Path, algorithm: str) -> str:
    """Digest of the content of a file in hex; `algorithm` is a name of hashlib."""
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def one_at_a_time(folder: Path, waiting: str = "") -> Iterator[None]:
    """Hold an exclusive lock on `folder`, which is created; while another process has it, print `waiting` and wait.

    The lock is on the file `.lock` in the folder, which stays. The system releases the lock when the process ends.
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
    """Sync the entries of `folder` to the disk, so that renames survive a power failure in their order."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
