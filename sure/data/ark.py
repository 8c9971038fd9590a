"""Kaldi ark/scp archives, through kaldiio or, where it is missing, omniio.kaldi (MIT, the same interface).

float32 and float64 vectors and matrices and int32 vectors keep their type. Kaldi has no float16; it is stored as
float32 without loss. Commands (`... |`) in an scp are refused, because both libraries would run them. Pickled values
are refused, because kaldiio would load them, and a pickle can run any code.
"""

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from sure.errors import SureError

PICKLE = b"PKL"  # first bytes of a pickled value
LIBRARIES = ("kaldiio", "omniio.kaldi")


def is_command(place: str) -> bool:
    """Whether an entry of an scp file is a shell pipeline, as Kaldi allows in place of a path."""
    return place.strip().startswith("|") or place.strip().endswith("|")


@cache
def library() -> ModuleType:
    """The installed library. Raises SureError if there is none."""
    for name in LIBRARIES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise SureError("reading ark files needs kaldiio or omniio: pip install omniio (or kaldiio)")


def write_ark(path: str | os.PathLike, arrays: Iterable[tuple[str, np.ndarray]]) -> Path:
    """Write (id, array) pairs to `name.ark` and its index `name.scp`; returns the path of the scp.

    An array is (frames, dim) or (values,), or a pair (rate, (samples,) int16) for audio. Both files appear when all
    values are written. Raises SureError for a repeated id or an array that Kaldi cannot store.
    """
    ark, scp = Path(path), Path(path).with_suffix(".scp")
    if ark.suffix != ".ark" or ":" in ark.name:
        raise SureError(f"{ark}: expected a name that ends in .ark")
    ark.parent.mkdir(parents=True, exist_ok=True)
    parts = [file.with_name(file.name + ".part") for file in (ark, scp)]
    entries: dict[str, str] = {}
    parts[0].write_bytes(b"")
    for id, array in arrays:
        if id in entries or not id or len(id.split()) != 1:
            raise SureError(f"{ark}: the id {id!r} {'is repeated' if id in entries else 'is not one word'}")
        if isinstance(array, np.ndarray) and array.dtype == np.float16:
            array = array.astype(np.float32)
        # a value starts after its id and a space; written one by one, as all arrays may not fit in memory
        entries[id] = f"{ark}:{parts[0].stat().st_size + len(id.encode()) + 1}"
        try:
            library().save_ark(str(parts[0]), {id: array}, append=True)
        except (ValueError, TypeError, AssertionError) as error:
            kind = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise SureError(f"{ark}: Kaldi archives cannot store '{id}' ({kind}) {error}".rstrip()) from None
    parts[1].write_text("".join(f"{id} {place}\n" for id, place in sorted(entries.items())), encoding="utf-8")
    for part, file in zip(parts, (ark, scp), strict=True):
        os.replace(part, file)
    return scp


def read_at(place: str):
    """The value at `name.ark:offset`: an array, or (rate, samples) for audio."""
    file, _, offset = place.rpartition(":")
    if is_command(file) or not offset.isdigit() or not Path(file).is_file():
        raise SureError(f"{place}: expected an existing archive and an offset, as in feats.ark:123")
    try:
        with open(file, "rb") as opened:
            opened.seek(int(offset))
            if opened.read(len(PICKLE)) == PICKLE:
                raise ValueError("a value is a pickle, which can run code; nothing was loaded")
        return library().load_mat(place)
    except Exception as error:
        raise SureError(f"cannot read the archive entry {place}: {error}") from None


class Scp(Mapping):
    """The arrays of an scp file by id, read on access: `Scp("feats.scp")["id"]`."""

    def __init__(self, path: str | os.PathLike):
        self.places: dict[str, str] = {}
        for number, line in enumerate(Path(path).read_text(encoding="utf-8").split("\n"), 1):
            id, _, place = line.strip().partition(" ")
            if not id:
                continue
            if id in self.places or not place:
                raise SureError(f"{path}:{number}: '{id}' {'is repeated' if place else 'has no archive'}")
            if is_command(place):
                raise SureError(f"{path}:{number}: '{place}' is a command; commands in an scp are not run")
            self.places[id] = place.strip()

    def __getitem__(self, id: str):
        return read_at(self.places[id])

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)
