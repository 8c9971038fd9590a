"""Data folders from LibriTTS; README.md describes the corpus and the decisions."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from pathlib import Path
from typing import Literal

from sure.corpus.selection import Selection, last_tenths
from sure.corpus.texts import read_transcript
from sure.corpus.walk import files_below, folders
from sure.data.data_dir import Utterance
from sure.errors import SureError

SUBSET = "train-clean-100"
LEVELS = 4
TEXT = ".normalized.txt"
PUBLISHED = 33236  # utterances of the subset, by the corpus's authors
RECORDING = re.compile(r"(\d+)_(\d+)_(\d+)_(\d+)\.(wav|flac)")  # speaker, chapter, paragraph, sentence


def prepare(corpus: str | Path, out: str | Path, split: Literal["utterance", "speaker"] = "utterance") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` with `text` as normalised by the authors, and return them.

    split: utterance (of each speaker's sorted ids the last tenth is test, the tenth before it dev) or speaker (the
    same of all speakers, in the order of a hash of their number). Raises SureError for a missing corpus.
    """
    selection = Selection(f"libritts ({split})")
    utterances: dict[str, dict[str, Utterance]] = defaultdict(dict)  # speaker -> id -> utterance
    top = find_subset(Path(corpus).absolute())
    paths = list(files_below(top))
    recorded = {path.with_suffix("") for path in paths if RECORDING.fullmatch(path.name)}
    for path in paths:
        item, match = str(path.relative_to(top)), RECORDING.fullmatch(path.name)
        if match is None:
            if path.suffix not in (".txt", ".tsv"):
                selection.leave_out(item, "files that are neither recording nor text")
            elif path.name.endswith(TEXT) and path.with_name(path.name.removesuffix(TEXT)) not in recorded:
                selection.leave_out(item, "texts without a recording")
        elif not (text := read_transcript(path.with_suffix(TEXT))):
            selection.leave_out(item, "recordings without a text")
        elif match[1] != path.parents[1].name:
            selection.leave_out(item, "recordings in the folder of another speaker")
        elif path.stem in utterances[match[1]]:
            selection.leave_out(item, "recordings that are there twice")
        else:
            utterances[match[1]][path.stem] = Utterance(path.stem, str(path), text=text, speaker=match[1])
    found = sum(map(len, utterances.values()))
    print(f"{len(utterances)} speakers, {found:,} utterances; the whole subset has {PUBLISHED:,}")
    set_of = last_tenths(sorted(utterances, key=lambda speaker: hashlib.sha256(speaker.encode()).digest()))
    for speaker, by_id in utterances.items():
        places = dict.fromkeys(by_id, set_of[speaker]) if split == "speaker" else last_tenths(sorted(by_id))
        for id, utterance in by_id.items():
            selection.take(places[id], utterance)
    return selection.write(Path(out))


def find_subset(corpus: Path) -> Path:
    """The folder with a folder for each speaker: `corpus`, or one that is at most LEVELS below it."""
    for place in folders(corpus, LEVELS):
        if place.name == SUBSET and any(RECORDING.fullmatch(path.name) for path in place.glob("*/*/*")):
            return place
    raise SureError(
        f"{corpus}: no recordings of LibriTTS there. Expected LibriTTS/{SUBSET}/103/1241/103_1241_000000_000001.wav "
        f"at most {LEVELS - 2} folders below, or the folder {SUBSET} itself"
    )
