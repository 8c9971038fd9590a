"""Results of a suite of recipes and tasks: a column for each test set, a cell for each method."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sure.errors import SureError
from sure.recipe.names import GREEDY
from sure.report.results import Result, collect

FIELDS = ["row", "task", "state", "note", "method", "seed", "folder"]
AGAIN = "run egs/sure_benchmark/run.sh again, which writes this file"
TUNED = ("weight", "word_score")  # settings of decoding that are tuned on the dev set of each experiment
STATES = ("done", "skipped", "failed")
# Keys that are equal for all results of a column, and for all seeds of a cell, with their names in messages.
OF_COLUMN = {"references_sha256": "references", "score_name": "scores", "decode": "decoding settings"}
OF_CELL = {
    "adapter_parameters": "trained parameters",
    "lr_adapter": "learning rates of the adapter",
    "lr_head": "learning rates of the head",
}


@dataclass(frozen=True)
class Experiment:
    """One training run of the suite, with or without a result."""

    method: str
    seed: str
    folder: Path


@dataclass(frozen=True)
class Row:
    """A recipe with task and options. state: done, skipped or failed; note: the reason."""

    name: str
    task: str
    state: str
    note: str
    experiments: tuple[Experiment, ...]


@dataclass(frozen=True)
class Column:
    """One row, test set and decoding. cells: results by method, one per seed."""

    row: Row
    set: str
    decoding: str
    cells: dict[str, list[Result]]

    @property
    def name(self) -> str:
        """Name of the row, with test set and decoding if they are not `test` and greedy."""
        special = [word for word, usual in ((self.set, "test"), (self.decoding, GREEDY)) if word != usual]
        return self.row.name + (f" ({', '.join(special)})" if special else "")

    @property
    def first(self) -> Result:
        return next(iter(self.cells.values()))[0]


@dataclass(frozen=True)
class Section:
    """The columns of one backbone with the same weights."""

    backbone: str
    columns: list[Column]

    def results(self, method: str) -> list[Result]:
        """Results of a method in all columns."""
        return [result for column in self.columns for result in column.cells.get(method, [])]


@dataclass(frozen=True)
class Suite:
    """Rows, sections with results, and `problems`: columns left out because their results are not comparable."""

    rows: list[Row]
    sections: list[Section]
    methods: list[str]
    seeds: list[str]
    problems: list[str]


def read_rows(path: Path) -> list[Row]:
    """Rows of a tab-separated file with the columns `FIELDS` and a line for each experiment.

    Raises SureError for an unreadable file and for an invalid line.
    """
    rows: dict[str, list[dict[str, str]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            for line in table:
                if list(line) != FIELDS or None in line.values() or line["state"] not in STATES:
                    raise SureError(f"{path}:{table.line_num}: expected tab-separated {', '.join(FIELDS)}; {AGAIN}")
                rows.setdefault(line["row"], []).append(line)
    except (OSError, UnicodeDecodeError) as error:
        raise SureError(f"cannot read {path}: {error}; {AGAIN}") from None
    return [_row(name, lines) for name, lines in rows.items()]


def gather(rows: Sequence[Row]) -> Suite:
    """Collect the results in the folders of the rows.

    Each backbone, with its weights, has its own section; each test set and decoding has its own column. A column is
    left out and named in `problems` if its results differ in references, score or decoding settings, or within a cell
    in parameters or learning rates. Raises SureError for an unreadable result, and if there are no results at all.
    """
    folders = [experiment.folder for row in rows for experiment in row.experiments if experiment.folder.is_dir()]
    if not folders:
        raise SureError("nothing to report: no experiment of these rows has started; run egs/sure_benchmark/run.sh")
    results: dict[Path, list[Result]] = {}
    for result in collect(folders)[0]:
        results.setdefault(result.seed, []).append(result)
    problems: list[str] = []
    by_backbone: dict[str, list[Column]] = {}
    for row in rows:
        for (backbone, name, decoding), cells in _cells(row, results).items():
            column = Column(row, name, decoding, cells)
            if problem := _problem(column):
                problems.append(problem)
            else:
                by_backbone.setdefault(backbone, []).append(column)
    experiments = [experiment for row in rows for experiment in row.experiments]
    return Suite(
        list(rows),
        [Section(backbone, columns) for backbone, columns in by_backbone.items()],
        list(dict.fromkeys(experiment.method for experiment in experiments)),
        list(dict.fromkeys(experiment.seed for experiment in experiments)),
        problems,
    )


def backbone_of(result: Result) -> str:
    """Family and weights. The digest of random weights ends in the seed, which is left out here."""
    digest = str(result["backbone_sha256"] or "-")
    if digest.startswith("random"):
        return f"{result['backbone']}, random weights ({digest.rpartition(':')[0]})"
    return f"{result['backbone'] or '-'} (sha256 {digest[:12]})"


def _row(name: str, lines: Sequence[dict[str, str]]) -> Row:
    experiments = [Experiment(line["method"], line["seed"], Path(line["folder"])) for line in lines if line["folder"]]
    return Row(name, lines[0]["task"], lines[0]["state"], lines[0]["note"], tuple(experiments))


def _cells(row: Row, results: dict[Path, list[Result]]) -> dict[tuple[str, str, str], dict[str, list[Result]]]:
    """Results by method, for each backbone, test set and decoding."""
    found: dict[tuple[str, str, str], dict[str, list[Result]]] = {}
    for experiment in row.experiments:
        for result in results.get(experiment.folder, []):
            key = backbone_of(result), result["set"], result["decoding"] or GREEDY
            cells = found.setdefault(key, {})
            cells.setdefault(experiment.method, []).append(result)
    return found


def _problem(column: Column) -> str | None:
    """Why the results of a column are not comparable, with two of them as an example; None if they are."""
    differing = _difference([result for cell in column.cells.values() for result in cell], OF_COLUMN)
    for method, cell in column.cells.items():
        differing = differing or _difference(cell, OF_CELL)
        for result in cell:
            if result["method"] != method:
                differing = f"{result.seed} has results of {result['method']} instead of {method}"
    return f"{column.name}: {differing}" if differing else None


def _difference(results: Sequence[Result], keys: dict[str, str]) -> str | None:
    first = results[0]
    for other in results[1:]:
        for key, words in keys.items():
            if _untuned(first[key]) != _untuned(other[key]):
                return f"{words} differ: {_short(first[key])} in {first.seed}, {_short(other[key])} in {other.seed}"
    return None


def _untuned(value: Any) -> Any:
    """Decoding settings without the tuned ones; any other value unchanged."""
    return {key: value[key] for key in value if key not in TUNED} if isinstance(value, dict) else value


def _short(value: Any) -> str:
    return str(value)[:40]
