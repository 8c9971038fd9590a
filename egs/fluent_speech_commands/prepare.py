"""Data folders from Fluent Speech Commands; README.md describes the corpus and the decisions."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Literal

from sure.corpus.csv_tables import read_csv
from sure.corpus.selection import Selection
from sure.corpus.texts import one_word
from sure.corpus.walk import files_below, folders, the_one
from sure.data.data_dir import Utterance
from sure.errors import SureError

SLOTS = ("action", "object", "location")
COLUMNS = ("path", "speakerId", *SLOTS)
TABLES = {"train": "data/train_data.csv", "dev": "data/valid_data.csv", "test": "data/test_data.csv"}
PUBLISHED = {"train": 23132, "dev": 3118, "test": 3793}  # in the corpus, and by SURE
LEVELS = 2


def prepare(corpus: str | Path, out: str | Path, labels: Literal["slots", "joint"] = "slots") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    labels: slots (action, object and location are output groups) or joint (their combination is one label).
    Raises SureError for missing or unreadable tables.
    """
    top = find_top(Path(corpus).absolute())
    selection = Selection(f"fluent_speech_commands ({labels})", published=PUBLISHED)
    listed: set[Path] = set()
    for name, table in TABLES.items():
        for number, row in read_csv(top / table, COLUMNS):
            path = top / PurePosixPath(row["path"].replace("\\", "/"))
            if reason := _why_not(row, path, listed):
                selection.leave_out(f"{top / table}, line {number}: {row['path']}", reason)
            else:
                selection.take(name, _utterance(row, path, labels))
            listed.add(path)
    for path in files_below(top / "wavs", ".wav"):
        if path not in listed:
            selection.leave_out(str(path), "recordings that no table has")
    return selection.write(Path(out))


def find_top(corpus: Path) -> Path:
    """The folder with data/ and wavs/: `corpus`, or one that is at most LEVELS below it."""
    layout = f"Expected the folder fluent_speech_commands_dataset with data/ and wavs/, at most {LEVELS} folders below"
    found = [folder for folder in folders(corpus, LEVELS) if (folder / TABLES["train"]).is_file()]
    top = the_one(corpus, found, f"{', '.join(TABLES.values())}. {layout}")
    if missing := [table for table in TABLES.values() if not (top / table).is_file()]:
        raise SureError(f"{top}: not found: {', '.join(missing)}. {layout}")
    return top


def _why_not(row: dict[str, str], path: Path, listed: set[Path]) -> str | None:
    if not all(row[column] for column in COLUMNS):
        return "rows without path, speaker, action, object or location"
    if path in listed:
        return "rows of a recording that an earlier row has"
    if not os.path.isfile(path):  # also for a name that is too long
        return "rows whose recording is not there"
    return None


def _utterance(row: dict[str, str], path: Path, labels: str) -> Utterance:
    speaker = one_word(row["speakerId"])
    slots = {slot: one_word(row[slot]) for slot in SLOTS}
    return Utterance(
        id=f"{speaker}-{one_word(path.stem)}",
        audio=str(path),
        labels=slots if labels == "slots" else {"label": "-".join(slots.values())},
        speaker=speaker,
    )
