"""Checkpoint files: written atomically, verified by a digest, and the previous one is kept."""

import hashlib
import logging
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from sure.errors import SureError
from sure.files import CHUNK, Sink, replace_file, sync_folder

log = logging.getLogger(__name__)

MARK = b"\nsure sha256 "  # with 64 hex digits at the end of torch's own format, which ignores them


class Checkpoints:
    """`last.pt` and `previous.pt` of a folder. After the first save, at least one of them is complete at any time.

    `next.pt` exists between writing and renaming, and after a process that was killed there.
    """

    def __init__(self, folder: Path):
        self.next = folder / "next.pt"
        self.last = folder / "last.pt"
        self.previous = folder / "previous.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Write tensors and plain containers. Raises SureError on a full disk; the older checkpoints stay."""

        def write(sink: Sink) -> None:
            digest = _Digest(sink)
            torch.save(state, digest)
            sink.write(MARK + digest.hash.hexdigest().encode())

        replace_file(self.next, write)
        self._take_next()

    def load(self) -> dict[str, Any] | None:
        """The newest complete checkpoint, on the CPU; None before the first. Raises SureError if all are damaged."""
        for path in (self.next, self.last, self.previous):
            if path.is_file() and not is_whole(path):  # renamed, or the next save replaces the good checkpoint by it
                damaged = path.with_name(path.name + ".damaged")
                os.replace(path, damaged)
                log.warning("%s is damaged (wrong digest); renamed to %s", path, damaged.name)
        if self.next.is_file():
            self._take_next()
        for path in (self.last, self.previous):
            if path.is_file():
                return _read(path)
        if list(self.last.parent.glob("*.damaged")):
            raise SureError(
                f"{self.last.parent}: all checkpoints are damaged; train from the beginning with --restart, which "
                f"deletes the results in {self.last.parent.parent}"
            )
        return None

    def _take_next(self) -> None:
        if self.last.exists():
            os.replace(self.last, self.previous)
        os.replace(self.next, self.last)
        sync_folder(self.last.parent)


def _read(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise SureError(f"{path} is not a checkpoint of a training ({reason}); delete it, or use --restart") from None


class _Digest:
    """A file that passes its content on and hashes it."""

    def __init__(self, sink: Sink):
        self.sink = sink
        self.hash = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.hash.update(content)
        return self.sink.write(content)

    def flush(self) -> None:
        pass


def is_whole(path: Path) -> bool:
    """Whether a checkpoint has the digest that was written with it."""
    digest = hashlib.sha256()
    left = path.stat().st_size - len(MARK) - digest.digest_size * 2
    with path.open("rb") as file:
        while left > 0:
            chunk = file.read(min(CHUNK, left))
            digest.update(chunk)
            left -= len(chunk)
        return file.read() == MARK + digest.hexdigest().encode()
