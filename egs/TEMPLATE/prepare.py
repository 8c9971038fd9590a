"""Data folders from a corpus in tables, DIR/{train,dev,test}.tsv or .csv, or in Kaldi's data folders."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Literal

from sure.corpus.csv_tables import read_csv
from sure.corpus.selection import SETS
from sure.corpus.texts import one_word
from sure.data.ark import is_command
from sure.data.data_dir import Utterance, check_writable, write_data_dir
from sure.data.tables import format_table, read_lines
from sure.errors import SureError, some_of
from sure.files import replace_file

COLUMN = {  # task -> column with its targets
    "asr": "text", "phoneme": "text", "slots": "text",
    "intent": "label", "emotion": "label", "keyword": "label",
    "verification": "speaker",
}  # fmt: skip
TABLE = {"text": "text", "label": "utt2label", "speaker": "utt2spk"}  # column -> table of a data folder
EXPECTED = "train.tsv, dev.tsv and test.tsv (or .csv), or Kaldi data folders train, dev and test with wav.scp"


def prepare(corpus: Path, out: Path, task: Literal[tuple(COLUMN)] = "asr") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    Columns: `audio` (a path, relative to DIR), `text` or `label`, and if known `id` and `speaker`; the last is needed
    for verification. Data folders have `wav.scp` and `text` or `utt2label`, and if known `segments` and `utt2spk`.
    Raises SureError naming the table and the line.
    """
    if any((corpus / name / "wav.scp").is_file() for name in SETS):
        return [copy_data_dir(corpus / name, out / name, TABLE[COLUMN[task]]) for name in SETS]
    tables = [find_table(corpus, name) for name in SETS]
    return [write_data_dir(out / path.stem, read_table(path, COLUMN[task])) for path in tables]


def find_table(corpus: Path, name: str) -> Path:
    tables = [path for suffix in (".tsv", ".csv") if (path := corpus / f"{name}{suffix}").is_file()]
    if len(tables) == 1:
        return tables[0]
    problem = f"{name}.tsv and {name}.csv; delete one" if tables else f"no table and no data folder of {name}"
    raise SureError(f"{corpus}: {problem}; expected {EXPECTED}; found {listed(corpus)}")


def listed(folder: Path) -> str:
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir()) if folder.is_dir() else []
    return some_of(names) if names else "no files"


def read_table(path: Path, target: str) -> list[Utterance]:
    rows = read_csv(path, ("audio", target))
    if not rows:
        raise SureError(f"{path}: no rows after the header")
    without = [line for line, row in rows if not row.get("speaker")]
    if without and "speaker" in rows[0][1] and target != "speaker":
        print(f"{path}: no speaker in {len(without)} of {len(rows)} rows (line {without[0]}), so none is used")
    utterances: dict[str, Utterance] = {}
    lines: dict[str, int] = {}
    for line, row in rows:
        where = f"{path}, line {line}"
        for column in ("audio", target, "id"):
            if row.get(column) == "" and column != "text":  # stage 2 reports an empty text
                raise SureError(f"{where}: the column '{column}' is empty")
        if broken := [column for column, cell in row.items() if re.search("[\r\n]", cell)]:
            raise SureError(f"{where}: a line break in the column '{broken[0]}'; is a double quote missing?")
        utterance = Utterance(
            id=row.get("id") or default_id(row["audio"]),
            audio=str(path.parent / row["audio"]),
            text=row["text"] if target == "text" else None,
            labels={"label": one_word(row["label"])} if target == "label" else {},
            speaker=None if without and target != "speaker" else one_word(row["speaker"]),
        )
        check_writable(where, utterance)
        if earlier := utterances.get(utterance.id):
            known = f"the id '{utterance.id}' of {utterance.audio} is already that of {earlier.audio}"
            raise SureError(f"{where}: {known} (line {lines[utterance.id]}); give different ids in a column 'id'")
        utterances[utterance.id], lines[utterance.id] = utterance, line
    return list(utterances.values())


def default_id(audio: str) -> str:
    path = Path(audio)
    return str(path.with_suffix("") if path.name else path).replace("/", "-").replace(" ", "_")


def copy_data_dir(source: Path, out: Path, needed: str) -> Path:
    """Copy the tables that a task needs; stage 2 validates them."""
    out.mkdir(parents=True, exist_ok=True)
    ids: set[str] = set()
    for name in ("wav.scp", "segments", needed, "utt2spk", "trials"):
        table = source / name
        used = table.is_file() and (needed == "utt2spk" or name != "trials")
        lines = [(line.id, line.value) for line in read_lines(table)] if used else []
        if name == "wav.scp":
            lines = [(id, place(audio, source)) for id, audio in lines]
        if name in ("wav.scp", "segments") and used:
            ids = {id for id, _ in lines}
        if used and name == "utt2spk" != needed:
            without = ids - {id for id, speaker in lines if len(speaker.split()) == 1}
            if without:
                print(f"{table}: no speaker of {len(without)} utterances ({min(without)}), so none is used")
            used = not without
        if used:
            replace_file(out / name, format_table(lines))
        elif name in ("wav.scp", needed):
            found = listed(source if source.is_dir() else source.parent)
            raise SureError(f"{table}: no such file, which this task needs; expected {EXPECTED}; found {found}")
        else:
            (out / name).unlink(missing_ok=True)
    return out


def place(audio: str, folder: Path) -> str:
    """A path or command of wav.scp with an existing file, from the folder that Kaldi's relative paths start from.

    That is the recipe's folder, two above a data folder; the two folders below are accepted too.
    """
    command = audio.strip().strip("|").strip() if is_command(audio) else ""
    files = words(command) if command else [re.sub(r":\d+$", "", audio)]  # feats.ark:123
    places = (folder.parent.parent, folder.parent, folder)
    base = max(places, key=lambda base: sum(os.path.isfile(base / file) for file in files))
    if not any(os.path.isfile(base / file) for file in files):
        return audio
    return f"cd {shlex.quote(str(base.absolute()))} && {command} |" if command else str(base / audio)


def words(command: str) -> list[str]:
    """The words of a command that may be relative paths."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        found = [part for word in lexer for part in word.split("=")]
    except ValueError:  # an open quote
        found = command.split()
    return [word for word in found if word and not word.startswith("/")]
