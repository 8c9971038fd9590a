"""LibriTTS: a copy of the corpus in, data folders out. What and why: README.md."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from pathlib import Path

from sure.corpus.selection import Selection
from sure.corpus.walk import folders, walk
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.encoding import read_any_text

SUBSET = "train-clean-100"
LEVELS = 4
PUBLISHED = 33236  # utterances of the subset, by the corpus's authors
RECORDING = re.compile(r"(\d+)_(\d+)_(\d+)_(\d+)\.(wav|flac)")  # speaker, chapter, paragraph, sentence
SPLITS = ("utterance", "speaker")


def prepare(corpus: str | Path, out: str | Path, split: str = "utterance") -> list[Path]:
    """Write the data folders `out/{train,dev,test}`, `text` normalised by the corpus's authors, and return them.

    split: utterance (of a speaker's sorted ids the last tenth is test, the tenth before it dev) or speaker (of all
    speakers, in the order of a hash of their number). Raises SureError for a corpus that is not there.
    """
    if split not in SPLITS:
        raise SureError(f"split={split}: expected {' or '.join(SPLITS)}")
    selection = Selection(f"libritts ({split})")
    utterances: dict[str, list[Utterance]] = defaultdict(list)
    known: set[str] = set()
    top = find_subset(Path(corpus).absolute())
    for folder, _, names in walk(top):
        for name in names:
            path, match = folder / name, RECORDING.fullmatch(name)
            if match is None:
                if path.suffix not in (".txt", ".tsv"):
                    selection.leave_out(str(path.relative_to(top)), "files that are neither recording nor text")
                continue
            file = path.with_suffix(".normalized.txt")
            text = " ".join(read_any_text(file).split()) if file.is_file() else ""
            if not text:
                selection.leave_out(str(path.relative_to(top)), "recordings without a text")
            elif match[1] != folder.parent.name:
                selection.leave_out(str(path.relative_to(top)), "recordings in the folder of another speaker")
            elif path.stem in known:
                selection.leave_out(str(path.relative_to(top)), "recordings that are there twice")
            else:
                known.add(path.stem)
                utterances[match[1]].append(Utterance(path.stem, str(path), text=text, speaker=match[1]))
    found = sum(map(len, utterances.values()))
    print(f"{len(utterances)} speakers, {found:,} utterances; the whole subset has {PUBLISHED:,}")
    by_hash = sorted(utterances, key=lambda speaker: hashlib.sha256(speaker.encode()).digest())
    speakers = dict(zip(by_hash, split_tenths(len(by_hash)), strict=True))
    for speaker, rows in utterances.items():
        rows.sort(key=lambda utterance: utterance.id)
        places = split_tenths(len(rows)) if split == "utterance" else [speakers[speaker]] * len(rows)
        for place, utterance in zip(places, rows, strict=True):
            selection.take(place, utterance)
    return selection.write(Path(out))


def find_subset(corpus: Path) -> Path:
    """The folder that has one for each speaker: some levels below the corpus, or the corpus itself."""
    for place in folders(corpus, LEVELS):
        if place.name == SUBSET and any(RECORDING.fullmatch(path.name) for path in place.glob("*/*/*")):
            return place
    raise SureError(
        f"{corpus}: no recordings of LibriTTS there. Expected LibriTTS/{SUBSET}/103/1241/103_1241_000000_000001.wav "
        f"at most {LEVELS - 2} folders below, or the folder {SUBSET} itself"
    )


def split_tenths(count: int) -> list[str]:
    """Set of each of so many: the last tenth is test, the tenth before it dev."""
    tenth = count // 10
    return ["train"] * (count - 2 * tenth) + ["dev"] * tenth + ["test"] * tenth
