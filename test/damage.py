"""Damages to files, for tables of damaged folders."""

from pathlib import Path


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
