"""Data folders from MELD, clips of a television series; README.md describes the corpus and the decisions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

from sure.corpus.csv_tables import read_csv
from sure.corpus.selection import SETS, Selection
from sure.corpus.texts import one_word, read_any_text
from sure.corpus.walk import files_in, walk
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.normalize import normalize

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
FOLDERS = {  # set -> names of the folder of its clips: as published, or of converted copies; also with _wav appended
    "train": ("train_splits", "train"),
    "dev": ("dev_splits_complete", "dev_splits", "dev"),
    "test": ("output_repeated_splits_test", "test_splits", "test"),
}
COLUMNS = ("Utterance", "Emotion", "Dialogue_ID", "Utterance_ID")
PUBLISHED = {"train": 9988, "dev": 1108, "test": 2610}
BROKEN = {"train_dia125_utt3"}  # cannot be decoded in the only release
CLIP = re.compile(r"dia\d+_utt\d+")
SUFFIXES = (".mp4", ".wav", ".flac", ".m4a", ".mp3")


class Row(NamedTuple):
    """The row of a clip in the table; `text` is as written."""

    text: str
    emotion: str
    speaker: str


def prepare(corpus: str | Path, out: str | Path, task: Literal["emotion", "asr"] = "emotion") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    task: emotion (`utt2label`) or asr (`text`). Raises SureError for missing clips and missing or unreadable tables.
    """
    selection = Selection(f"meld {task}", published=PUBLISHED)
    for name, (table, folder) in find_sets(Path(corpus).absolute()).items():
        rows, clips = read_rows(table, selection), list_clips(folder, selection)
        for key, row in rows.items():
            utterance = _utterance(f"{name}_{key}", row, clips.get(key), task)
            if reason := _why_not(utterance, row, task):
                selection.leave_out(utterance.id, reason)
            else:
                selection.take(name, utterance)
        for key in sorted(clips.keys() - rows.keys()):
            selection.leave_out(str(clips[key]), "clips without a row in the table")
    return selection.write(Path(out))


def find_sets(corpus: Path) -> dict[str, tuple[Path, Path]]:
    """Set -> (table, folder of the clips), those nearest to the top of the corpus."""
    places = {folder: files for folder, _, files in walk(corpus)}
    places = dict(sorted(places.items(), key=lambda place: (len(place[0].parts), place[0])))
    with_clips = [folder for folder, files in places.items() if any(map(CLIP.match, files))]
    sets, missing = {}, []
    for name in SETS:
        file = f"{name}_sent_emo.csv"
        names = [folder + ending for ending in ("", "_wav") for folder in FOLDERS[name]]
        table = next((folder / file for folder, files in places.items() if file in files), None)
        clips = next((folder for wanted in names for folder in with_clips if folder.name.lower() == wanted), None)
        missing += [file] * (table is None) + [f"{FOLDERS[name][0]}/dia*_utt*.mp4"] * (clips is None)
        sets[name] = (table, clips)
    if missing:
        raise SureError(
            f"{corpus}: not found, at any depth: {', '.join(missing)}. MELD.Raw.tar.gz has three archives inside, "
            "train.tar.gz, dev.tar.gz and test.tar.gz: unpack those too; the training table is in train.tar.gz"
        )
    return sets


def list_clips(folder: Path, selection: Selection) -> dict[str, Path]:
    """dia0_utt0 -> path. (The archive has a hidden file of macOS for each clip.)"""
    clips: dict[str, Path] = {}
    for path in files_in(folder, *SUFFIXES):
        if path.stem in clips:
            selection.leave_out(str(path), "clips that are there in another format")
        elif not path.stat().st_size:
            selection.leave_out(str(path), "clips of 0 bytes")
        else:
            clips[path.stem] = path
    return clips


def read_rows(table: Path, selection: Selection) -> dict[str, Row]:
    """dia0_utt0 -> row, in the order of the table."""
    rows: dict[str, Row] = {}
    for number, cells in read_csv(table, COLUMNS, read_any_text(table)):
        line = f"{table.name}:{number}"
        numbers = [cells[column].removesuffix(".0") for column in COLUMNS[2:]]
        key = "dia{}_utt{}".format(*numbers)
        if not CLIP.fullmatch(key):
            selection.leave_out(line, "rows without a dialogue and utterance number")
        elif key in rows:
            selection.leave_out(f"{line}: {key}", "rows for a clip that has one already")
        else:
            speaker = one_word(cells.get("Speaker", "")) or "unknown"
            rows[key] = Row(cells["Utterance"], cells["Emotion"].lower(), speaker)
    return rows


def _utterance(id: str, row: Row, clip: Path | None, task: str) -> Utterance:
    return Utterance(
        id=id,
        audio=str(clip or ""),
        text=normalize(row.text, "en") if task == "asr" else None,
        labels={"label": row.emotion} if task == "emotion" else {},
        speaker=row.speaker,
    )


def _why_not(utterance: Utterance, row: Row, task: str) -> str | None:
    if utterance.id in BROKEN:
        return "clips known to be broken"
    if not utterance.audio:
        return "rows without a clip"
    if task == "emotion" and row.emotion not in EMOTIONS:
        return "rows with an unknown emotion"
    if task == "asr" and not utterance.text:
        return "rows without words"
    return None
