"""LibriTTS, its subset train-clean-100: recordings with two texts each, and other files."""

from pathlib import Path

from miniature import pack, write_files
from speech import speech

RATE, SUBSET = 24000, "LibriTTS/train-clean-100"
SENTENCES = (
    "Go on.|It is I, 2 of us.|No!|Who is it?|We did so.|She ran.|Dogs do that.|He is here.|So it is.|Stop, now."
).split("|")
READERS = {"103": 10, "19": 10, "26": 3}


def make(folder: Path) -> None:
    """Write the unpacked corpus and the archive of sources.yaml."""
    make_tree(folder)
    pack(folder / "train-clean-100.tar.gz", folder, "LibriTTS")


def make_tree(folder: Path, readers: dict[str, int] = READERS) -> None:
    """Write the folder LibriTTS. The last sentence of reader 26 has no text; one file is not part of the corpus."""
    write_files(folder, {"LibriTTS/SPEAKERS.txt": "; ID | SEX | SUBSET\n", f"{SUBSET}/19/191/19_191.pcm": b""})
    for reader, count in readers.items():
        chapter = f"{SUBSET}/{reader}/{reader}1/{reader}_{reader}1"
        write_files(folder, {f"{chapter}.trans.tsv": ""})
        for number, sentence in enumerate(SENTENCES[:count]):
            id = f"{chapter}_{number // 4:06}_{number:06}"
            files = {f"{id}.wav": speech(sentence * 2, reader, RATE), f"{id}.original.txt": sentence}
            if (reader, number) != ("26", 2):
                files[f"{id}.normalized.txt"] = sentence.replace("2", "two")
            write_files(folder, files, RATE)
