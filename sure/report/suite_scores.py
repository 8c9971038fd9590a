"""Scores of a suite's columns, and the mean rank of methods over them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import rankdata

from sure.report.results import SCORES
from sure.report.suite import Column


@dataclass(frozen=True)
class Score:
    """One score of a column: the task's own, or one beside it."""

    column: Column
    name: str
    higher_is_better: bool

    @property
    def label(self) -> str:
        return f"{SCORES.get(self.name, self.name)} {'↑' if self.higher_is_better else '↓'}"

    def values(self, method: str) -> list[float]:
        """One a seed."""
        found = [result[self.name] for result in self.column.cells.get(method, [])]
        return [value for value in found if value is not None]

    def best(self, methods: Sequence[str]) -> str | None:
        """The best mean as it is printed; None where there are not two to compare."""
        means = [statistics.fmean(values) for values in map(self.values, methods) if values]
        return f"{(max if self.higher_is_better else min)(means):.2f}" if len(means) > 1 else None


def own_score(column: Column) -> Score:
    """The score that the column's task is compared by."""
    return Score(column, column.first["score_name"], column.first["higher_is_better"])


def mean_ranks(scores: Sequence[Score], methods: Sequence[str], seeds: int) -> tuple[dict[str, float], int]:
    """The mean rank of each method, 1 the best and equal scores sharing one, and over how many scores.

    Only scores count that every method has of every seed: otherwise methods would be compared on different tasks.
    """
    ranks = []
    for score in scores:
        values = [score.values(method) for method in methods]
        if len(methods) > 1 and all(len(of_method) == seeds for of_method in values):
            sign = -1 if score.higher_is_better else 1
            ranks.append(rankdata([sign * statistics.fmean(of_method) for of_method in values]))
    means = [float(statistics.fmean(of_method)) for of_method in zip(*ranks, strict=True)]
    return dict(zip(methods, means, strict=True)) if ranks else {}, len(ranks)
