"""Read a model.bin of CTranslate2: a sequence of named tensors, little endian."""

import math
import struct
from pathlib import Path

import torch
from torch import Tensor

from sure.errors import SureError

VERSIONS = (4, 5, 6)  # of the file layout; earlier ones store sizes differently
DTYPES = (torch.float32, torch.int8, torch.int16, torch.int32, torch.float16, torch.bfloat16)  # by number in the file


def read_ctranslate2(path: Path, kind: str) -> dict[str, Tensor]:
    """The tensors of a model by name; aliases are left out. kind: the expected model, such as WhisperSpec.

    Raises SureError if the file is truncated, holds another kind of model, or has an unknown layout.
    """
    reader = _Reader(path)
    version = reader.number("I")
    if version not in VERSIONS:
        known = f"{VERSIONS[0]} to {VERSIONS[-1]}"
        raise SureError(f"{path} is not a model.bin of CTranslate2 with layout {known}: it starts with {version}")
    found = reader.text()
    if found != kind:
        raise SureError(f"{path} contains a {found} model; expected {kind}")
    reader.number("I")  # revision of the kind
    tensors = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        tensors[name] = reader.tensor(name)
    for _ in range(2 * reader.number("I")):
        reader.text()  # alias, then name
    if left := len(reader.content) - reader.place:
        raise SureError(f"{path} has {left} bytes after its end; download it again")
    return tensors


class _Reader:
    def __init__(self, path: Path):
        self.path, self.content, self.place = path, path.read_bytes(), 0

    def take(self, size: int) -> bytes:
        taken = self.content[self.place : self.place + size]
        if len(taken) < size:
            raise SureError(f"{self.path} is truncated at byte {len(self.content)}; download it again")
        self.place += size
        return taken

    def number(self, kind: str) -> int:
        return struct.unpack(f"<{kind}", self.take(struct.calcsize(kind)))[0]

    def text(self) -> str:
        """A size, then that many bytes; the last one is zero."""
        return self.take(self.number("H"))[:-1].decode(errors="replace")

    def tensor(self, name: str) -> Tensor:
        shape = [self.number("I") for _ in range(self.number("B"))]
        dtype, size = self.number("B"), self.number("I")
        if dtype >= len(DTYPES) or size != math.prod(shape) * DTYPES[dtype].itemsize:
            raise SureError(f"{self.path}: {name} {shape} cannot have {size} bytes of dtype {dtype}; download it again")
        if not size:
            return torch.empty(shape, dtype=DTYPES[dtype])
        return torch.frombuffer(bytearray(self.take(size)), dtype=DTYPES[dtype]).reshape(shape)
