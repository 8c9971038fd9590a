"""LibriTTS, its subset train-clean-100: recordings with two texts each, and other files."""

from __future__ import annotations

import tarfile
from pathlib import Path

from audio_files import write_audio
from speech import speech

RATE = 24000
SENTENCES = (
    "Go on.|It is I, 2 of us.|No!|Who is it?|We did so.|She ran.|Dogs do that.|He is here.|So it is.|Stop, now.".split(
        "|"
    )
)
READERS = {"103": 10, "19": 10, "26": 3}


def make(folder: Path) -> None:
    """Write the archive of sources.yaml."""
    top = make_tree(folder / "tree")
    with tarfile.open(folder / "train-clean-100.tar.gz", "w:gz") as archive:
        archive.add(top, "LibriTTS")


def make_tree(folder: Path) -> Path:
    """Write the folder LibriTTS. The last sentence of reader 26 has no text; one file is not part of the corpus."""
    top = folder / "LibriTTS"
    for reader, count in READERS.items():
        chapter = top / "train-clean-100" / reader / f"{reader}1"
        for number, sentence in enumerate(SENTENCES[:count]):
            id = f"{reader}_{reader}1_{number // 4:06}_{number:06}"
            write_audio(chapter / f"{id}.wav", speech(sentence * 2, reader, RATE), RATE)
            (chapter / f"{id}.original.txt").write_text(sentence)
            if (reader, number) != ("26", 2):
                (chapter / f"{id}.normalized.txt").write_text(sentence.replace("2", "two"))
        (chapter / f"{reader}_{reader}1.trans.tsv").write_text("")
    (top / "train-clean-100" / "19" / "191" / "19_191.pcm").write_bytes(b"")
    (top / "SPEAKERS.txt").write_text("; ID | SEX | SUBSET\n")
    return top
