"""LibriSpeech: a copy of the corpus in, data folders out. What and why: README.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sure.corpus.selection import Selection
from sure.data.data_dir import Utterance
from sure.errors import SureError

SUBSETS = {"train": "train-clean-100", "dev": "dev-clean", "test": "test-clean", "test_other": "test-other"}
PUBLISHED = {"train": 28539, "dev": 2703, "test": 2620, "test_other": 2939}
AUDIO = (".flac", ".wav")  # as published; as some convert it
TRANSCRIPTS = "*/*/*.trans.txt"  # below a subset: speaker, chapter


class Line(NamedTuple):
    """A line of a chapter's transcript."""

    id: str
    text: str
    where: str  # file and number


def prepare(corpus: str | Path, out: str | Path, test_other: str = "false") -> list[Path]:
    """Write the data folders `out/{train,dev,test}`, with test_other=true also `test_other`, and return them.

    The corpus is the folder LibriSpeech, or one that has it. Raises SureError for what is missing or unreadable.
    """
    if test_other not in ("true", "false"):
        raise SureError(f"test_other={test_other}: expected true or false")
    names = [name for name in SUBSETS if name != "test_other" or test_other == "true"]
    folders = {name: find_subset(Path(corpus).absolute(), SUBSETS[name]) for name in names}
    selection = Selection("librispeech_100", names, {name: PUBLISHED[name] for name in names})
    for name, folder in folders.items():
        for chapter in sorted({path.parent for path in folder.glob("*/*/*") if not path.name.startswith(".")}):
            _add_chapter(selection, name, chapter, folder)
    return selection.write(Path(out))


def find_subset(corpus: Path, subset: str) -> Path:
    """The folder of a subset, such as `dev-clean`: in the corpus, in its LibriSpeech, or where archives were unpacked
    each into a folder of its own."""
    places = [corpus, corpus / "LibriSpeech", corpus / subset / "LibriSpeech", corpus / subset]
    for place in places:
        if next((place / subset).glob(TRANSCRIPTS), None):
            return place / subset
    raise SureError(
        f"{corpus}: no transcripts of {subset}: looked for {subset}/{TRANSCRIPTS} there and in "
        f"{', '.join(str(place.relative_to(corpus)) for place in places[1:])}; unpack {subset}.tar.gz there, "
        "or give its folder with --corpus"
    )


def _add_chapter(selection: Selection, name: str, chapter: Path, subset: Path) -> None:
    """The recordings of one folder that have a line with words; everything else is left out with a reason."""
    audio = {path.stem: path for suffix in reversed(AUDIO) for path in _visible(chapter, suffix)}
    lines: dict[str, Line] = {}
    for line in (line for path in _visible(chapter, ".trans.txt") for line in read_transcript(path)):
        if line.id not in audio:
            selection.leave_out(line.where, "lines without a recording")
        elif line.id in lines:
            selection.leave_out(line.where, "second lines of a recording")
        else:
            lines[line.id] = line
    for id, path in sorted(audio.items()):
        if id not in lines:
            selection.leave_out(str(path.relative_to(subset.parent)), "recordings without a line")
        elif not lines[id].text:
            selection.leave_out(lines[id].where, "lines without words")
        else:
            selection.take(name, Utterance(id, str(path), text=lines[id].text, speaker=chapter.parent.name))


def _visible(folder: Path, ending: str) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.name.endswith(ending) and not path.name.startswith(".")]


def read_transcript(path: Path) -> Iterator[Line]:
    """Lines `103-1240-0000 CHAPTER ONE ...`; empty ones are passed over. Raises SureError naming the file."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SureError(f"{path}: cannot be read as UTF-8 text ({error}); unpack it again") from None
    for number, line in enumerate(lines, 1):
        id, *words = line.split() or [""]
        if id:
            yield Line(id, " ".join(words), f"{path.name}:{number} {id}")
