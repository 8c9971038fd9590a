"""The digest of a folder changes with what a stage reads there, and a recording that changed after stage 2 is found."""

import os
from pathlib import Path

import pytest

from sure.recipe.inputs import (
    STATES,
    changed_content,
    digest_of_folder,
    digest_of_recordings,
    first_changed,
    read_recording,
    recording_tables,
)

TIMES = (10**18, 10**18)


def write(path: str, content: str, ns: tuple[int, int] = TIMES) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content, encoding="utf-16" if path.endswith("TextGrid") else None)
    os.utime(path, ns=ns)


CHANGES = [
    (lambda: write("corpus/a.tsv", "b"), True),  # the same size and time
    (lambda: write("corpus/a.TextGrid", "b"), True),
    (lambda: write("corpus/new.wav", ""), True),
    (lambda: os.unlink("corpus/s/a.WAV"), True),
    (lambda: write("corpus/s/a.WAV", "ab"), True),
    (lambda: os.utime("corpus/s/a.WAV"), True),
    (lambda: write("elsewhere/a.wav", "ab"), True),  # behind a link
    (lambda: write("elsewhere/b.sph", "ab"), True),  # named by wav.scp
    (lambda: write("elsewhere/c.sph", "ab"), True),  # named by a command
    (lambda: os.utime("corpus/a.tsv"), False),  # the same content
    (lambda: write("corpus/README.md", "b"), False),
    (lambda: write("corpus/.DS_Store", "b"), False),
    (lambda: os.rename("corpus/s", "corpus/t") or os.rename("corpus/t", "corpus/s"), False),
]


@pytest.mark.parametrize(("change", "counts"), CHANGES)
def test_the_digest_of_a_folder_changes_with_its_content(here: Path, change, counts: bool) -> None:
    for path in ("corpus/a.tsv", "corpus/a.TextGrid", "corpus/s/a.WAV", "elsewhere/a.wav", "elsewhere/b.sph",
                 "elsewhere/c.sph"):  # fmt: skip
        write(path, "a")
    write("corpus/train/wav.scp", "b elsewhere/b.sph\nc sox elsewhere/c.sph -t wav - |\n")
    os.symlink("../elsewhere", "corpus/link")
    os.symlink("..", "corpus/s/loop")
    os.mkfifo("corpus/pipe")
    os.makedirs("corpus/gone")
    os.symlink("nowhere", "corpus/gone/wav.scp")  # as a file that is deleted meanwhile
    before = digest_of_folder("corpus")
    change()
    assert (digest_of_folder("corpus/") != before) == counts


def test_a_recording_that_changed_is_named(here: Path) -> None:
    for path in ("a\u2028b.wav", "c.ark"):
        write(path, "ab")
    for name, text in recording_tables({path: read_recording(path) for path in ("a\u2028b.wav", "c.ark")}).items():
        write(f"data/{name}", text)
    known = digest_of_recordings("data")
    assert first_changed("data") == "" and not list(changed_content(Path("data")))
    write("a\u2028b.wav", "ac")  # the same size and time: found by the doctor
    assert first_changed("data") == "" and list(changed_content(Path("data"))) == ["a\u2028b.wav"]
    os.utime("c.ark")
    assert first_changed("data") == "c.ark" and digest_of_recordings("data") == known
    os.unlink(f"data/{STATES}")
    assert first_changed("data") == ""  # data of an earlier version
