"""Corpora in tables, DIR/{train,dev,test}.tsv or .csv, or in Kaldi's data folders."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sure.corpus.csv_tables import read_csv
from sure.corpus.kaldi_folder import channels, copy_data_dir, listed
from sure.corpus.selection import SETS
from sure.corpus.texts import one_word
from sure.data.data_dir import Utterance, check_writable, write_data_dir
from sure.errors import SureError

COLUMN = {  # task -> column with its targets
    "asr": "text", "phoneme": "text", "slots": "text",
    "intent": "label", "emotion": "label", "keyword": "label",
    "verification": "speaker",
}  # fmt: skip
TABLE = {"text": "text", "label": "utt2label", "speaker": "utt2spk"}  # column -> table of a data folder
COLUMNS = {"audio", "id", "start", "end", "language", *COLUMN.values()}
UNITS = "(time|s|sec|secs|seconds|ms|samples?|frames?)*"
TIMES = {  # column -> other names of it, without the characters between words, in lower case
    "start": re.compile(rf"(t|time|seg|segment)?(start|begin|onset|offset|from){UNITS}|t0|[xt]min"),
    "end": re.compile(rf"(t|time|seg|segment)?(end|stop|until|to){UNITS}|t1|[xt]max"),
}
LENGTHS = {"duration", "dur", "length", "len"}
NO_VALUE = {"nan", "NaN", "<NA>", "#N/A", "N/A"}  # as pandas and spreadsheets write a cell without a value
EXPECTED = "train.tsv, dev.tsv and test.tsv (or .csv), or Kaldi data folders train, dev and test with wav.scp"


def prepare_tables(corpus: Path, out: Path, target: str) -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    Columns: `audio` (a path, relative to DIR), `text` or `label`, and if known `id` and `speaker`; the last is needed
    for verification. `start` and `end` (seconds; empty: those of the file) select a part of the audio. `language` is
    that of the text, where languages differ. Data folders have `wav.scp` and `text` or `utt2label`, and if known
    `segments`, `utt2spk` and `utt2lang`. Raises SureError naming the table and the line.
    """
    if any((corpus / name / "wav.scp").is_file() for name in SETS):
        return [copy_data_dir(corpus / name, out / name, TABLE[target]) for name in SETS]
    tables = [find_table(corpus, name) for name in SETS]
    return [write_data_dir(out / path.stem, read_table(path, target)) for path in tables]


def find_table(corpus: Path, name: str) -> Path:
    """The table of a set. Raises SureError where there is none, or more than one."""
    tables = [path for suffix in (".tsv", ".csv") if (path := corpus / f"{name}{suffix}").is_file()]
    if len(tables) == 1:
        return tables[0]
    problem = f"{name}.tsv and {name}.csv; delete one" if tables else f"no table and no data folder of {name}"
    others = [path.name for path in sorted(corpus.glob(f"{name}.*")) if path.is_file()]
    if others and not tables:
        problem = f"{others[0]} cannot be read; unpack it, or save it as {name}.tsv or {name}.csv"
    raise SureError(f"{corpus}: {problem}; expected {EXPECTED}; found {listed(corpus)}")


def read_table(path: Path, target: str) -> list[Utterance]:
    """The rows of a table. target: the column that the task needs. Raises SureError naming the line."""
    rows = read_csv(path, ("audio", target))
    if not rows:
        raise SureError(f"{path}: no rows after the header")
    check_columns(path, list(rows[0][1]))
    without = [line for line, row in rows if row.get("speaker", "") in {"", *NO_VALUE}]
    if without and "speaker" in rows[0][1] and target != "speaker":
        print(f"{path}: no speaker in {len(without)} of {len(rows)} rows (line {without[0]}), so none is used")
    utterances: dict[str, Utterance] = {}
    lines: dict[str, int] = {}
    for line, row in rows:
        where = f"{path}, line {line}"
        for column in ("audio", target, "id", *(["language"] if target == "text" else [])):
            if row.get(column) == "" and column != "text":  # stage 2 reports an empty text
                raise SureError(f"{where}: the column '{column}' is empty")
            if row.get(column) in NO_VALUE:
                raise SureError(f"{where}: '{row[column]}' in the column '{column}' means no value; write one")
        if broken := [column for column, cell in row.items() if re.search("[\r\n]", cell)]:
            raise SureError(f"{where}: a line break in the column '{broken[0]}'; is a double quote missing?")
        audio = find_audio(where, path.parent, row["audio"])
        if row.get("channel") and channels(audio) > 1:
            raise SureError(
                f"{where}: {audio} has several channels, and SURE averages them; write channel {row['channel']} to a "
                "file of its own"
            )
        utterance = Utterance(
            id=row.get("id") or default_id(row["audio"]),
            audio=audio,
            start=seconds(where, row, "start"),
            end=seconds(where, row, "end"),
            text=row["text"] if target == "text" else None,
            labels={"label": one_word(row["label"])} if target == "label" else {},
            speaker=None if without and target != "speaker" else one_word(row["speaker"]),
            language=row.get("language") if target == "text" else None,
        )
        if utterance.end is not None and utterance.end <= (utterance.start or 0.0):
            raise SureError(f"{where}: expected start < end, found {row.get('start') or 0} and {row['end']}")
        check_writable(where, utterance)
        if earlier := utterances.get(utterance.id):
            known = f"the id '{utterance.id}' of {utterance.audio} is already that of {earlier.audio}"
            raise SureError(f"{where}: {known} (line {lines[utterance.id]}); give different ids in a column 'id'")
        utterances[utterance.id], lines[utterance.id] = utterance, line
    return list(utterances.values())


def check_columns(path: Path, columns: list[str]) -> None:
    """Print the columns that are not used. Raises SureError for one that seems to select a part of the audio."""
    unused = [column for column in columns if column and column not in COLUMNS]
    for column, name in ((column, name) for column in unused for name in TIMES):
        if name not in columns and TIMES[name].fullmatch(re.sub(r"[\W_]", "", column.lower())):
            raise SureError(
                f"{path}: the column '{column}' is not known; if it selects a part of the audio, call it '{name}', and "
                "write seconds; otherwise rename or remove it"
            )
    if "start" in columns and "end" not in columns and (lengths := LENGTHS & set(columns)):
        length = min(lengths)
        raise SureError(f"{path}: the columns 'start' and '{length}' without 'end'; write 'end' (start + {length})")
    if unused:
        print(f"{path}: columns that are not used: {', '.join(unused)}")


def find_audio(where: str, folder: Path, cell: str) -> str:
    """The path of a recording. Raises SureError for one with backslashes that does not exist; stage 2 checks others."""
    path = str(folder / os.path.expanduser(cell))
    if "\\" in cell and not os.path.isfile(path):
        raise SureError(f"{where}: there is no file {cell}; write / between folders, not \\")
    return path


def seconds(where: str, row: dict[str, str], column: str) -> float | None:
    """The cell of a column in seconds; None for an empty one, or without the column."""
    if not (cell := row.get(column)):
        return None
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", cell, re.ASCII):
        raise SureError(f"{where}: expected seconds in the column '{column}', such as 12.5, found '{cell}'")
    return float(cell)


def default_id(audio: str) -> str:
    path = Path(audio)
    return str(path.with_suffix("") if path.name else path).replace("/", "-").replace(" ", "_")
