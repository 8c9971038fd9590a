"""Arguments that name recordings: files, folders, lists of files, and stdin."""

import sys
from collections.abc import Sequence
from pathlib import Path

from sure.errors import SureError
from sure.parsing import decode_text

STDIN = "-"
SUFFIXES = {
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".au", ".sph", ".wma", ".amr"),
    *(".mp4", ".mkv", ".webm", ".mov", ".3gp"),
}


def audio_files(names: Sequence[str]) -> list[str]:
    """The names, each folder replaced by the audio files at any depth in it, sorted. Raises SureError for one without.

    Files are not checked, and may have any suffix.
    """
    found: list[str] = []
    for name in names:
        if not Path(name).is_dir():
            found.append(name)
            continue
        inside = sorted(str(path) for path in Path(name).rglob("*") if path.suffix.lower() in SUFFIXES)
        if not inside:
            raise SureError(f"{name}: the folder has no audio files (such as .wav, .flac, .mp3); pass other files")
        found += inside
    return found


def listed_files(name: str) -> list[str]:
    """The lines of a text file, or of stdin for `-`, without empty ones. Raises SureError where it cannot be read."""
    try:
        content = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        raise SureError(f"--list {name}: {error.strerror}; pass a text file with a path on each line") from None
    return [line for line in decode_text(name, content).splitlines() if line.strip()]


def opened(name: str) -> str | bytes:
    """What `Sure.read` takes for the name of a file: the content of stdin for `-`, otherwise the name."""
    return sys.stdin.buffer.read() if name == STDIN else name
