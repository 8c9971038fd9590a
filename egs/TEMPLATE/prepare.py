"""Data folders from a corpus in tables, DIR/{train,dev,test}.tsv, or in Kaldi's data folders, DIR/{train,dev,test}."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

from sure.corpus.selection import SETS
from sure.data.ark import is_command
from sure.data.data_dir import Utterance, write_data_dir
from sure.data.tables import format_table, read_lines
from sure.errors import SureError
from sure.files import replace_file

COLUMN = {  # task -> column with its targets
    "asr": "text", "phoneme": "text", "slots": "text",
    "intent": "label", "emotion": "label", "keyword": "label",
    "verification": "speaker",
}  # fmt: skip
TABLE = {"text": "text", "label": "utt2label", "speaker": "utt2spk"}  # column -> table of a data folder


def prepare(corpus: Path, out: Path, task: Literal[tuple(COLUMN)] = "asr") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    Columns: `audio` (a path, relative to DIR), `text` or `label`, and `speaker` if known; the last is needed for
    verification. Data folders have `wav.scp` and `text` or `utt2label`, and `segments` and `utt2spk` if known.
    Raises SureError naming the table and the line.
    """
    if (corpus / SETS[0] / "wav.scp").is_file():
        return [copy_data_dir(corpus / name, out / name, TABLE[COLUMN[task]]) for name in SETS]
    return [write_data_dir(out / name, read_table(corpus / f"{name}.tsv", COLUMN[task])) for name in SETS]


def read_table(path: Path, target: str) -> list[Utterance]:
    if not path.is_file():
        raise SureError(
            f"{path} is missing; a corpus needs {', '.join(f'{name}.tsv' for name in SETS)}, or Kaldi folders"
        )
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows, columns = list(table), table.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SureError(f"cannot read {path}: {error}") from None
    for column in ("audio", target):
        if column not in columns:
            found = " ".join(map(repr, columns))
            raise SureError(f"{path}, line 1: no column {column!r}; the columns are {found} (put tabs between columns)")
    utterances = []
    for line, row in enumerate(rows, start=2):
        for column in ("audio", target):
            if not row[column] and column != "text":  # stage 2 reports an empty text
                raise SureError(f"{path}, line {line}: the column '{column}' is empty")
        utterances.append(
            Utterance(
                id=str(Path(row["audio"]).with_suffix("")).replace("/", "-").replace(" ", "_"),
                audio=str(path.parent / row["audio"]),
                text=row["text"] or "" if target == "text" else None,
                labels={"label": row["label"]} if target == "label" else {},
                speaker=row.get("speaker"),
            )
        )
    return utterances


def copy_data_dir(source: Path, out: Path, needed: str) -> Path:
    """Copy the tables that a task needs; stage 2 validates them."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ("wav.scp", "segments", needed, "utt2spk", "trials"):
        table = source / name
        if table.is_file():
            lines = [(line.id, line.value) for line in read_lines(table)]
            if name == "wav.scp":
                lines = [(id, place(audio, source)) for id, audio in lines]
            replace_file(out / name, format_table(lines))
        elif name in ("wav.scp", needed):
            raise SureError(f"{table}: no such file, which this task needs; write it, or choose another --task")
        else:
            (out / name).unlink(missing_ok=True)
    return out


def place(audio: str, folder: Path) -> str:
    """The path of a recording. Kaldi's paths are relative to the recipe's folder, two above a data folder."""
    if not is_command(audio):
        for base in (folder.parent.parent, folder.parent, folder):
            if (base / audio).is_file():
                return str(base / audio)
    return audio
