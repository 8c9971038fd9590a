"""Read a model.bin of CTranslate2: named tensors, one behind the other, little endian."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import torch
from torch import Tensor

from sure.errors import SureError

VERSIONS = (4, 5, 6)  # of the layout; earlier ones write sizes otherwise
DTYPES = (torch.float32, torch.int8, torch.int16, torch.int32, torch.float16, torch.bfloat16)  # by their number


def read_ctranslate2(path: Path, kind: str) -> dict[str, Tensor]:
    """The tensors of a model by name; kind: what it has to be, such as WhisperSpec.

    Tensors with a second name are found under the first alone. Raises SureError for a file that is torn, of
    another kind, or written in a way that is not known here.
    """
    reader = _Reader(path)
    version = reader.number("I")
    if version not in VERSIONS:
        known = f"{VERSIONS[0]} to {VERSIONS[-1]}"
        raise SureError(f"{path} is no model.bin of CTranslate2 with layout {known}: it starts with {version}")
    found = reader.text()
    if found != kind:
        raise SureError(f"{path} holds a {found} model; expected {kind}")
    reader.number("I")  # the kind's revision
    tensors = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        tensors[name] = reader.tensor(name)
    for _ in range(2 * reader.number("I")):
        reader.text()  # a second name, then the first one
    reader.end()
    return tensors


class _Reader:
    def __init__(self, path: Path):
        self.path = path
        self.content = path.read_bytes()
        self.place = 0

    def take(self, size: int) -> bytes:
        taken = self.content[self.place : self.place + size]
        if len(taken) < size:
            raise SureError(f"{self.path} is torn: it ends at byte {len(self.content)}; fetch it again")
        self.place += size
        return taken

    def number(self, kind: str) -> int:
        return struct.unpack(f"<{kind}", self.take(struct.calcsize(kind)))[0]

    def text(self) -> str:
        """Its size, then its bytes, the last of them zero."""
        return self.take(self.number("H"))[:-1].decode(errors="replace")

    def tensor(self, name: str) -> Tensor:
        shape = [self.number("I") for _ in range(self.number("B"))]
        dtype, size = self.number("B"), self.number("I")
        if dtype >= len(DTYPES) or size != math.prod(shape) * DTYPES[dtype].itemsize:
            raise SureError(f"{self.path}: {name} {shape} cannot have {size} bytes of dtype {dtype}; fetch it again")
        if not size:
            return torch.empty(shape, dtype=DTYPES[dtype])
        return torch.frombuffer(bytearray(self.take(size)), dtype=DTYPES[dtype]).reshape(shape)

    def end(self) -> None:
        if self.place < len(self.content):
            left = len(self.content) - self.place
            raise SureError(f"{self.path} has {left} bytes behind its end; fetch it again")
