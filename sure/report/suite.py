"""Results of a suite of recipes and tasks: a column for each test set, a cell for each method, ranks of methods."""

import csv
import itertools
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import rankdata

from sure.errors import SureError
from sure.recipe.names import GREEDY
from sure.report.results import SCORES, Result, collect, grouped

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
    experiments: list[Experiment]


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

    @property
    def main_score(self) -> "Score":
        return Score(self, self.first["score_name"], self.first["higher_is_better"])


@dataclass(frozen=True)
class Score:
    """One score of a column: the main score of its task, or a further one."""

    column: Column
    name: str
    higher_is_better: bool

    @property
    def label(self) -> str:
        return f"{SCORES.get(self.name, self.name)} {'↑' if self.higher_is_better else '↓'}"

    def values(self, method: str) -> list[float]:
        """One value per seed."""
        found = [result[self.name] for result in self.column.cells.get(method, [])]
        return [value for value in found if value is not None]

    def best(self, methods: Sequence[str]) -> str | None:
        """The best mean over seeds as printed; None for fewer than two methods."""
        means = [statistics.fmean(values) for values in map(self.values, methods) if values]
        return f"{(max if self.higher_is_better else min)(means):.2f}" if len(means) > 1 else None


@dataclass(frozen=True)
class Suite:
    """Rows, columns by backbone, and `problems`: columns left out because their results are not comparable."""

    rows: list[Row]
    sections: dict[str, list[Column]]
    methods: list[str]
    seeds: list[str]
    problems: list[str]


def read_rows(path: Path) -> list[Row]:
    """Rows of a tab-separated file with the columns `FIELDS` and a line for each experiment.

    Raises SureError for an unreadable file and for an invalid line.
    """
    rows: dict[str, Row] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            for line in table:
                if list(line) != FIELDS or None in line.values() or line["state"] not in STATES:
                    raise SureError(f"{path}:{table.line_num}: expected tab-separated {', '.join(FIELDS)}; {AGAIN}")
                name, task, state, note, method, seed, folder = line.values()
                row = rows.setdefault(name, Row(name, task, state, note, []))
                if folder:
                    row.experiments.append(Experiment(method, seed, Path(folder)))
    except (OSError, UnicodeDecodeError) as error:
        raise SureError(f"cannot read {path}: {error}; {AGAIN}") from None
    return list(rows.values())


def gather(rows: Sequence[Row]) -> Suite:
    """Collect the results in the folders of the rows.

    Each backbone, with its weights, has its own section; each test set and decoding has its own column. A column is
    left out and named in `problems` if its results differ in references, score or decoding settings, or within a cell
    in parameters or learning rates. Raises SureError for an unreadable result, and if there are no results at all.
    """
    experiments = [experiment for row in rows for experiment in row.experiments]
    folders = [experiment.folder for experiment in experiments if experiment.folder.is_dir()]
    if not folders:
        raise SureError("nothing to report: no experiment of these rows has started; run egs/sure_benchmark/run.sh")
    results = grouped(collect(folders)[0], lambda result: result.seed)
    problems: list[str] = []
    sections: dict[str, list[Column]] = {}
    for row in rows:
        for (backbone, name, decoding), cells in _cells(row, results).items():
            column = Column(row, name, decoding, cells)
            if problem := next(_problems(column), None):
                problems.append(f"{column.name}: {problem}")
            else:
                sections.setdefault(backbone, []).append(column)
    methods = list(dict.fromkeys(experiment.method for experiment in experiments))
    seeds = list(dict.fromkeys(experiment.seed for experiment in experiments))
    return Suite(list(rows), sections, methods, seeds, problems)


def backbone_of(result: Result) -> str:
    """Family and weights. The digest of random weights ends in the seed, which is left out here."""
    digest = str(result["backbone_sha256"] or "-")
    if digest.startswith("random"):
        return f"{result['backbone']}, random weights ({digest.rpartition(':')[0]})"
    return f"{result['backbone'] or '-'} (sha256 {digest[:12]})"


def mean_ranks(scores: Sequence[Score], methods: Sequence[str], seeds: int) -> tuple[dict[str, float], int]:
    """Mean rank of each method, and the number of scores that count. Rank 1 is the best; ties get their mean rank.

    A score counts only if every method has it for every seed, so that all methods are compared on the same tasks.
    """
    ranks = []
    for score in scores:
        values = [score.values(method) for method in methods]
        if len(methods) > 1 and all(len(each) == seeds for each in values):
            sign = -1 if score.higher_is_better else 1
            ranks.append(rankdata([sign * statistics.fmean(each) for each in values]))
    means = [float(statistics.fmean(each)) for each in zip(*ranks, strict=True)]
    return dict(zip(methods, means, strict=True)) if ranks else {}, len(ranks)


def _cells(row: Row, results: dict[Path, list[Result]]) -> dict[tuple[str, str, str], dict[str, list[Result]]]:
    """Results by method, for each backbone, test set and decoding."""
    found: dict[tuple[str, str, str], dict[str, list[Result]]] = {}
    for experiment in row.experiments:
        for result in results.get(experiment.folder, []):
            key = backbone_of(result), result["set"], result["decoding"] or GREEDY
            found.setdefault(key, {}).setdefault(experiment.method, []).append(result)
    return found


def _problems(column: Column) -> Iterator[str]:
    """Why the results of a column are not comparable, with two of them as an example."""
    for method, cell in column.cells.items():
        for result in cell:
            if result["method"] != method:
                yield f"{result.seed} has results of {result['method']} instead of {method}"
    everything = [result for cell in column.cells.values() for result in cell]
    for results, keys in [(everything, OF_COLUMN), *((cell, OF_CELL) for cell in column.cells.values())]:
        first = results[0]
        for other, (key, words) in itertools.product(results, keys.items()):
            if _untuned(first[key]) != _untuned(other[key]):
                yield f"{words} differ: {first[key]!s:.40} in {first.seed}, {other[key]!s:.40} in {other.seed}"


def _untuned(value: Any) -> Any:
    """Decoding settings without the tuned ones; any other value unchanged."""
    return {key: value[key] for key in value if key not in TUNED} if isinstance(value, dict) else value
