"""A corpus given as tables: DIR/{train,dev,test}.tsv, tabs between, the columns named in the first line."""

from __future__ import annotations

import csv
from pathlib import Path

from sure.data.data_dir import Utterance, write_data_dir
from sure.errors import SureError

SETS = ("train", "dev", "test")
COLUMN = dict.fromkeys(("asr", "phoneme", "slots"), "text")  # what is learned, by task
COLUMN |= dict.fromkeys(("intent", "emotion", "keyword"), "label")
COLUMN |= {"verification": "speaker"}


def prepare(corpus: Path, out: Path, task: str = "asr") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    Columns: `audio` (a path, relative to DIR), `text` or `label`, as the task needs, and if known `speaker`, which
    verification needs.
    Raises SureError naming the table and the line.
    """
    if task not in COLUMN:
        raise SureError(f"task={task}: this recipe knows {', '.join(COLUMN)}")
    return [write_data_dir(out / name, read_table(corpus / f"{name}.tsv", COLUMN[task])) for name in SETS]


def read_table(path: Path, target: str) -> list[Utterance]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SureError(f"cannot read {path}: {error}") from None
    utterances = []
    for line, row in enumerate(rows, start=2):
        for column in ("audio", target):
            if not row.get(column) and (column != "text" or column not in row):  # stage 2 reports an empty text
                raise SureError(f"{path}, line {line}: the column '{column}' is missing or empty")
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
