"""The folders of a corpus: its top may be the folder that the user gave, or some levels below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sure.errors import SureError


def folders(top: Path, levels: int) -> Iterator[Path]:
    """`top`, and the folders below it down to so many levels, each before its own, sorted by name.

    Links are followed, hidden folders left out. Raises SureError for a folder that cannot be listed.
    """
    yield top
    if levels < 1:
        return
    try:
        with os.scandir(top) as entries:  # knows what is a folder without asking for every file
            below = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    except OSError as error:
        raise SureError(f"{top}: cannot be listed ({error.strerror}); make it a readable folder") from None
    for name in below:
        yield from folders(top / name, levels - 1)
