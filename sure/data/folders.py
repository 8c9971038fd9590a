"""The folders of a corpus: its top may be the folder that the user gave, or some levels below it."""

from __future__ import annotations

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
        below = sorted(path for path in top.iterdir() if not path.name.startswith(".") and path.is_dir())
    except OSError as error:
        raise SureError(f"{top}: cannot be listed ({error.strerror}); make it a readable folder") from None
    for path in below:
        yield from folders(path, levels - 1)
