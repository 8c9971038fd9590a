"""Listing of the folders of a corpus, whose top may be the folder that the user gave, or some levels below it.

Links are followed. Left out are hidden names, extra folders of macOS archives, and lost+found. A folder that cannot be
listed is an error, so that no part of a corpus is missed silently.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from sure.errors import SureError

LEFT_OUT = (".", "__MACOSX", "lost+found")  # beginnings of names that are not part of a corpus


def folders(top: Path, levels: int) -> Iterator[Path]:
    """`top` and the folders below it, down to `levels`, sorted, each before its subfolders. Raises SureError."""
    yield top
    if levels > 0:
        _, below, _ = next(os.walk(top, onerror=_stop))
        for name in _parts(below):
            yield from folders(top / name, levels - 1)


def walk(top: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk`, but sorted: every folder with the names of its folders and files. Raises SureError.

    Folders that the caller removes from the list of names are skipped, as are links to a parent folder.
    """
    known: dict[Path, tuple[int, int]] = {}
    for name, below, files in os.walk(top, onerror=_stop, followlinks=True):
        place, status = Path(name), os.stat(name)
        known[place] = (status.st_dev, status.st_ino)
        if any(known.get(around) == known[place] for around in place.parents):
            below.clear()
            continue
        below[:] = _parts(below)
        yield place, below, _parts(files)


def files_below(top: Path, *endings: str) -> Iterator[Path]:
    """Every file at any depth below `top`, or those with one of the endings in any case, sorted by folder and name."""
    for folder, _, names in walk(top):
        yield from (folder / name for name in names if name.lower().endswith(endings or ""))


def files_in(folder: Path, *endings: str) -> list[Path]:
    """The files of a folder with one of the endings in any case, sorted. Hidden files are left out."""
    paths = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in paths if path.name.lower().endswith(endings))


def the_one(corpus: Path, found: Sequence[Path], expected: str) -> Path:
    """The only folder in `found`. Raises SureError if there is none, with `expected`, or more than one."""
    if len(found) > 1:
        copies = " or ".join(map(str, found))
        raise SureError(f"{corpus}: found more than one copy of the corpus; pass one of them: --corpus {copies}")
    if not found:
        raise SureError(f"{corpus}: not found: {expected}")
    return found[0]


def _parts(names: list[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith(LEFT_OUT))


def _stop(error: OSError) -> None:
    raise SureError(f"cannot list the folder {error.filename}: {error.strerror}; change its permissions") from None
