"""Damages to files, for tables of damaged folders."""

import json
from pathlib import Path

from sure.petl.bundle import ABOUT, digest_of


def flip(path: Path, place: int = -5) -> None:
    """Change one bit of the byte at `place`."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def replace(path: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text that is in the file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def to_folder(path: Path) -> None:
    """An empty folder in the place of the file."""
    path.unlink()
    path.mkdir()


def change_about(bundle: Path, key: str, value: object) -> None:
    """Change a value in adapter.json, such as `petl.0.rank`, with its digest."""
    about = place = json.loads((bundle / ABOUT).read_text())
    *path, last = (int(part) if part.isdigit() else part for part in key.split("."))
    for part in path:
        place = place[part]
    place[last] = value
    (bundle / ABOUT).write_text(json.dumps(about | {"digest": digest_of(about)}))
