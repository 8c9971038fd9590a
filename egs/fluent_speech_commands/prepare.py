"""Fluent Speech Commands: a copy of the corpus in, data folders out. What and why: README.md."""

from __future__ import annotations

import csv
import os
from pathlib import Path, PurePosixPath

from sure.corpus.selection import Selection
from sure.corpus.walk import folders, walk
from sure.data.data_dir import Utterance
from sure.errors import SureError

LABELS = ("slots", "joint")
SLOTS = ("action", "object", "location")
COLUMNS = ("path", "speakerId", *SLOTS)
TABLES = {"train": "data/train_data.csv", "dev": "data/valid_data.csv", "test": "data/test_data.csv"}
PUBLISHED = {"train": 23132, "dev": 3118, "test": 3793}  # with the corpus, and by SURE
LEVELS = 2


def prepare(corpus: str | Path, out: str | Path, labels: str = "slots") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    labels: slots (action, object and location are output groups) or joint (their combination is one label).
    Raises SureError.
    """
    if labels not in LABELS:
        raise SureError(f"labels={labels}: the fluent_speech_commands recipe has {' and '.join(LABELS)}")
    top = find_top(Path(corpus).absolute())
    selection = Selection(f"fluent_speech_commands ({labels})", published=PUBLISHED)
    listed: set[Path] = set()
    for name, table in TABLES.items():
        for number, row in read_table(top / table):
            path = top / PurePosixPath(row["path"].replace("\\", "/"))
            if reason := _why_not(row, path, listed):
                selection.leave_out(f"{top / table}, line {number}: {row['path']}", reason)
            else:
                selection.take(name, _utterance(row, path, labels))
            listed.add(path)
    for path in (folder / name for folder, _, files in walk(top / "wavs") for name in files):
        if path.suffix.lower() == ".wav" and path not in listed:
            selection.leave_out(str(path), "recordings that no table has")
    return selection.write(Path(out))


def find_top(corpus: Path) -> Path:
    found = [folder for folder in folders(corpus, LEVELS) if (folder / TABLES["train"]).is_file()]
    if len(found) > 1:
        raise SureError(f"{corpus}: more than one copy of the corpus, give one of {' '.join(map(str, found))}")
    missing = [table for table in TABLES.values() if not found or not (found[0] / table).is_file()]
    if missing:
        raise SureError(
            f"{found[0] if found else corpus}: not found: {', '.join(missing)}. Expected the folder "
            f"fluent_speech_commands_dataset with data/ and wavs/, at most {LEVELS} folders below"
        )
    return found[0]


def read_table(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Number of the line and columns of each row; the first column, a number without a name, is not needed."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            rows = [(reader.line_num, {name: (row[name] or "").strip() for name in COLUMNS}) for row in reader]
    except KeyError as error:
        found = ", ".join(reader.fieldnames or [])
        raise SureError(f"{path}: no column {error}; expected {', '.join(COLUMNS)}, found {found}") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SureError(f"{path}: cannot be read ({error}); unpack the corpus again") from None
    return rows


def _why_not(row: dict[str, str], path: Path, listed: set[Path]) -> str | None:
    if not all(row.values()):
        return "rows without path, speaker, action, object or location"
    if path in listed:
        return "rows of a recording that an earlier row has"
    if not os.path.isfile(path):  # nor is a name too long for any file
        return "rows whose recording is not there"
    return None


def _utterance(row: dict[str, str], path: Path, labels: str) -> Utterance:
    speaker = _one_word(row["speakerId"])
    slots = {slot: _one_word(row[slot]) for slot in SLOTS}
    return Utterance(
        id=f"{speaker}-{_one_word(path.stem)}",
        audio=str(path),
        labels=slots if labels == "slots" else {"label": "-".join(slots.values())},
        speaker=speaker,
    )


def _one_word(text: str) -> str:
    """`change language` is one label."""
    return "_".join(text.split())
