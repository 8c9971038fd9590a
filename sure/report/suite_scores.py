"""Scores of the columns of a suite, and mean ranks of methods over columns."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import rankdata

from sure.report.results import SCORES
from sure.report.suite import Column


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


def main_score(column: Column) -> Score:
    """The main score of the column's task."""
    return Score(column, column.first["score_name"], column.first["higher_is_better"])


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
