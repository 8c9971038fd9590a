"""Successive halving of learning rates: the rates that each round keeps, by dev score, and their table.

A round compares the best dev score of the epochs that all rates of it have been trained for. Later epochs of a rate do
not count, so that another call, or one that was interrupted, keeps the same rates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from sure import registry
from sure.config import Config, load_config
from sure.errors import SureError
from sure.parsing import parse_json, read_json
from sure.recipe.halving import last_epoch, number_kept
from sure.report.markdown import table
from sure.report.results import grouped

AGAIN = "run stage 4 (--search halving) again"


@dataclass
class Run:
    """A training, perhaps of some epochs only. lines: one for each epoch, as in metrics.jsonl."""

    folder: Path
    config: Config
    score_name: str
    lines: Sequence[Mapping[str, Any]]

    @property
    def rate(self) -> float:
        return self.config.train.lr_adapter

    def best(self, epochs: int) -> tuple[float, float]:
        """Dev score, made so that lower is better, and dev loss, of the best of the first epochs."""
        sign = -1 if registry.find("tasks", self.config.task).higher_is_better else 1
        return min((sign * line[f"dev_{self.score_name}"], line["dev_loss"]) for line in self.lines[:epochs])


@dataclass
class Round:
    """The runs of one method that a round compares after `epochs`, and those that it keeps."""

    method: str
    epochs: int
    runs: Sequence[Run]
    kept: Sequence[Run]


def read_run(folder: Path) -> Run:
    """Raises SureError naming a file of the experiment folder that is missing or damaged."""
    score_name = read_json(folder / "best.json", AGAIN, keys=("score_name",))["score_name"]
    config = load_config([folder / "config.yaml"])
    try:
        lines = [parse_json(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        Run(folder, config, score_name, lines).best(1)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SureError(f"{folder / 'metrics.jsonl'} cannot be used ({error}); {AGAIN}") from None
    return Run(folder, config, score_name, lines)


def compare(runs: Sequence[Run], parts: Sequence[Fraction]) -> list[Round]:
    """The rounds of each method, each with the runs that the round before has kept.

    Of equal scores the lower dev loss is better, as in the choice of the epoch. Raises SureError for a run with too few
    epochs, and for a method with two runs of one rate.
    """
    rounds = []
    for method, left in grouped(runs, lambda run: run.config.method).items():
        if len({run.rate for run in left}) < len(left):
            raise SureError(f"{method}: two experiments have the same learning rate; pass the experiments of one seed")
        for part in parts:
            epochs = last_epoch(part, left[0].config.train.epochs)
            for run in left:
                if len(run.lines) < epochs and not (run.folder / "summary.json").exists():  # or ended by patience
                    raise SureError(f"{run.folder} has {len(run.lines)} of the {epochs} epochs to compare; {AGAIN}")
            kept = sorted(left, key=lambda run: run.best(epochs))[: number_kept(len(left))]
            rounds.append(Round(method, epochs, left, kept))
            left = kept
    return rounds


def kept(rounds: Sequence[Round]) -> list[Run]:
    """The runs that the last round of each method has kept."""
    last = {one.method: one.kept for one in rounds}
    return [run for runs in last.values() for run in runs]


def markdown(rounds: Sequence[Round]) -> str:
    """A row for each round of each method and a column for each learning rate, with the kept rates in bold."""
    first = rounds[0].runs[0]
    task = registry.find("tasks", first.config.task)
    rates = sorted({run.rate for one in rounds for run in one.runs})
    lines = [["method", "epochs", *(f"{rate:g}" for rate in rates)]]
    for one in rounds:
        cells = {run.rate: f"{abs(run.best(one.epochs)[0]):.2f}" for run in one.runs}
        cells |= {run.rate: f"**{cells[run.rate]}**" for run in one.kept}
        epochs = f"{one.epochs} of {first.config.train.epochs}"
        lines.append([one.method, epochs, *(cells.get(rate, "-") for rate in rates)])
    better = "higher" if task.higher_is_better else "lower"
    return (
        f"dev {first.score_name} % by learning rate of the adapter, seed {first.config.seed}: the best of the epochs; "
        f"rates in bold are trained further ({better} is better)\n\n{table(lines)}\n\nWrite the learning rate that you "
        f"choose into conf/rates.yaml: under `{first.config.task}`, or under `all` for every task.\n"
    )
