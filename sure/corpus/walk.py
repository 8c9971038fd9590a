"""The folders of a corpus: its top may be the folder that the user gave, or some levels below it.

Links are followed. Left out are hidden names, what macOS puts beside the files of an archive, and what file systems
keep for themselves. A folder that cannot be listed is an error, so that nothing of a corpus goes missing unseen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sure.errors import SureError

NO_PART = (".", "__MACOSX", "lost+found")  # how names begin that are no part of a corpus


def folders(top: Path, levels: int) -> Iterator[Path]:
    """`top`, and the folders below it down to so many levels, each before its own, sorted by name. Raises SureError."""
    yield top
    if levels < 1:
        return
    try:
        with os.scandir(top) as entries:  # knows what is a folder without asking for every file
            below = sorted(entry.name for entry in entries if not entry.name.startswith(NO_PART) and entry.is_dir())
    except OSError as error:
        raise _unlisted(error) from None
    for name in below:
        yield from folders(top / name, levels - 1)


def walk(top: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """`os.walk`, sorted: every folder with the names of its folders and files. Raises SureError.

    As there, what is taken out of the names of the folders is not gone into; nor is a link to a folder around it.
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


def _parts(names: list[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith(NO_PART))


def _stop(error: OSError) -> None:
    raise _unlisted(error)


def _unlisted(error: OSError) -> SureError:
    return SureError(f"{error.filename}: cannot be listed ({error.strerror}); make it a readable folder")
