"""Scores against trained parameters, one point a method: the report's table as a picture."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from sure.files import replace_file
from sure.score.report import SCORES, Result, rows_of, tests_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


CORNERS = ((True, True), (True, False), (False, True), (False, False))  # right, up: of neighbours' names


def draw(results: Sequence[Result], path: Path) -> None:
    """Write the picture of `collect`'s results as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = make_figure(results)
    FigureCanvasAgg(figure)
    replace_file(path, lambda sink: figure.savefig(sink, format="png", dpi=100))


def make_figure(results: Sequence[Result]) -> Figure:
    """A panel for each task and test set. Bars are standard deviations over seeds; random backbones are grey."""
    from matplotlib.figure import Figure

    tests = tests_of(results)
    figure = Figure(figsize=(9, 5.5 * len(tests)), layout="constrained")
    for number, group in enumerate(tests, 1):
        axes = figure.add_subplot(len(tests), 1, number)
        corners = cycle(CORNERS)
        for name, row in sorted(rows_of(group).items(), key=lambda item: _parameters(item[1])):
            scores = [result["score"] for result in row]
            spread = statistics.stdev(scores) if len(scores) > 1 else 0
            place = _parameters(row), statistics.fmean(scores)
            if str(row[0]["backbone_weights"]).startswith("random"):
                axes.plot(*place, marker="o", color="lightgrey", zorder=0)
            else:
                axes.errorbar(*place, yerr=spread, marker="o", capsize=3)
                right, up = next(corners)
                axes.annotate(
                    name,
                    place,
                    xytext=(5 if right else -5, 5 if up else -11),
                    textcoords="offset points",
                    horizontalalignment="left" if right else "right",
                    fontsize=8,
                )
        first = group[0]
        better = "higher" if first["higher_is_better"] else "lower"
        axes.set_xscale("log")
        axes.set_xlabel("trained parameters, with head (grey: the same on a random backbone)")
        axes.set_ylabel(f"{SCORES.get(first['score_name'], first['score_name'])} ({better} is better)")
        axes.set_title(f"{first['task']}, {first['data'] or first['set']}")
        axes.grid(alpha=0.3)
        axes.margins(x=0.2)
    return figure


def _parameters(row: Sequence[Result]) -> float:
    """Trained ones, the mean over seeds."""
    return statistics.fmean(result["trained_parameters"] or 1 for result in row)
