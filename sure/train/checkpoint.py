"""Checkpoints that cannot be lost: written beside, renamed, checked by a digest, with the one before kept."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sure.data.dataset import generator_for
from sure.errors import SureError
from sure.files import Sink, replace_file, sync_folder

log = logging.getLogger(__name__)

MARK = b"\nsure sha256 "  # and 64 digits stand behind torch's own format, which ignores them
CHUNK = 1 << 20


class Checkpoints:
    """`last.pt` and `previous.pt` of a folder: once saved, one is whole at every instant.

    `next.pt` is there between the writing of a checkpoint and the renaming, or where that was killed.
    """

    def __init__(self, folder: Path):
        self.next = folder / "next.pt"
        self.last = folder / "last.pt"
        self.previous = folder / "previous.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Keep tensors and plain containers. Raises SureError without room for them; the old ones stay."""

        def write(sink: Sink) -> None:
            digest = _Digest(sink)
            torch.save(state, digest)
            sink.write(MARK + digest.hash.hexdigest().encode())

        replace_file(self.next, write)
        self._take_next()

    def load(self) -> dict[str, Any] | None:
        """The newest whole state, None where none was ever saved. Raises SureError when all are damaged."""
        found = [path for path in (self.next, self.last, self.previous) if path.is_file()]
        whole = [path for path in found if is_whole(path)]
        for path in found:
            if path not in whole:  # out of the way: the next save must not put it in the place of a good one
                damaged = path.with_name(path.name + ".damaged")
                os.replace(path, damaged)
                log.warning("%s is damaged (its digest is wrong); moved to %s", path, damaged.name)
        if self.next in whole:
            self._take_next()
            whole = [self.last]
        if whole:
            return _read(whole[0])
        if found or list(self.last.parent.glob("*.damaged")):
            raise SureError(
                f"{self.last.parent}: no checkpoint is whole; delete {self.last.parent.parent}, as --restart does, "
                "to train from the beginning"
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
        raise SureError(f"{path}: no checkpoint of a training ({reason}); delete it, or use --restart") from None


class _Digest:
    """Passes on what is written and hashes it."""

    def __init__(self, sink: Sink):
        self.sink = sink
        self.hash = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.hash.update(content)
        return self.sink.write(content)

    def flush(self) -> None:
        pass


def is_whole(path: Path) -> bool:
    """Whether a checkpoint is as it was written."""
    digest = hashlib.sha256()
    left = path.stat().st_size - len(MARK) - digest.digest_size * 2
    with path.open("rb") as file:
        while left > 0:
            chunk = file.read(min(CHUNK, left))
            digest.update(chunk)
            left -= len(chunk)
        return file.read() == MARK + digest.hexdigest().encode()


def seed_everything(seed: int, rank: int = 0) -> None:
    """Of the draws of training; a process of several has its own."""
    if rank:
        seed = generator_for(seed, "process", rank).initial_seed()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def random_state(device: torch.device) -> dict[str, Any]:
    """Of Python, numpy, torch and, where it is one, the GPU, as plain values."""
    version, numbers, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [keys.tolist(), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and state.get("cuda") is not None:  # it may have begun on the CPU
        torch.cuda.set_rng_state(state["cuda"], device)
