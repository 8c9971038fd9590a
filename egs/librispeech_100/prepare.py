"""Data folders from LibriSpeech; README.md describes the corpus and the decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from sure.corpus.selection import Selection
from sure.corpus.texts import read_text
from sure.corpus.walk import files_in
from sure.data.data_dir import Utterance
from sure.errors import SureError

SUBSETS = {"train": "train-clean-100", "dev": "dev-clean", "test": "test-clean", "test_other": "test-other"}
PUBLISHED = {"train": 28539, "dev": 2703, "test": 2620, "test_other": 2939}
TRANSCRIPTS = "*/*/*.trans.txt"  # below a subset: speaker, chapter


class Line(NamedTuple):
    """A line of a chapter's transcript."""

    id: str
    text: str
    where: str  # file and number


def prepare(corpus: str | Path, out: str | Path, test_other: Literal["true", "false"] = "false") -> list[Path]:
    """Write the data folders `out/{train,dev,test}`, with test_other=true also `test_other`, and return them.

    corpus: the folder LibriSpeech, or its parent. Raises SureError for a missing subset and an unreadable transcript.
    """
    names = [name for name in SUBSETS if name != "test_other" or test_other == "true"]
    folders = {name: find_subset(Path(corpus).absolute(), SUBSETS[name]) for name in names}
    selection = Selection("librispeech_100", names, {name: PUBLISHED[name] for name in names})
    for name, folder in folders.items():
        for chapter in sorted({path.parent for path in folder.glob("*/*/*") if not path.name.startswith(".")}):
            _add_chapter(selection, name, chapter, folder)
    return selection.write(Path(out))


def find_subset(corpus: Path, subset: str) -> Path:
    """The folder of a subset such as `dev-clean`: in the corpus, in its folder LibriSpeech, or in a folder of the
    subset's archive."""
    places = [corpus, corpus / "LibriSpeech", corpus / subset / "LibriSpeech", corpus / subset]
    for place in places:
        if next((place / subset).glob(TRANSCRIPTS), None):
            return place / subset
    raise SureError(
        f"{corpus}: no transcripts of {subset}: looked for {subset}/{TRANSCRIPTS} there and in "
        f"{', '.join(str(place.relative_to(corpus)) for place in places[1:])}; unpack {subset}.tar.gz there, "
        "or pass its folder with --corpus"
    )


def _add_chapter(selection: Selection, name: str, chapter: Path, subset: Path) -> None:
    """Add the recordings of a folder that have a line with words; leave all others out with a reason."""
    audio = {path.stem: path for ending in (".wav", ".flac") for path in files_in(chapter, ending)}  # flac is preferred
    lines: dict[str, Line] = {}
    for line in (line for path in files_in(chapter, ".trans.txt") for line in read_transcript(path)):
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


def read_transcript(path: Path) -> Iterator[Line]:
    """Lines `103-1240-0000 CHAPTER ONE ...`, without empty ones. Raises SureError naming the file."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        id, *words = line.split() or [""]
        if id:
            yield Line(id, " ".join(words), f"{path.name}:{number} {id}")
