"""Scores against trained parameters, one point a method: the report's table as a picture."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sure.files import replace_file
from sure.score.report import SCORES, Result, rows_of, tests_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    figure = Figure(figsize=(7, 4.5 * len(tests)), layout="constrained")
    for number, group in enumerate(tests, 1):
        axes = figure.add_subplot(len(tests), 1, number)
        for name, row in rows_of(group).items():
            scores = [result["score"] for result in row]
            spread = statistics.stdev(scores) if len(scores) > 1 else 0
            place = statistics.fmean(result["trained_parameters"] or 1 for result in row), statistics.fmean(scores)
            if str(row[0]["backbone_weights"]).startswith("random"):
                axes.plot(*place, marker="o", color="lightgrey", zorder=0)
            else:
                axes.errorbar(*place, yerr=spread, marker="o", capsize=3)
                axes.annotate(name, place, xytext=(5, 5), textcoords="offset points", fontsize=8)
        first = group[0]
        better = "higher" if first["higher_is_better"] else "lower"
        axes.set_xscale("log")
        axes.set_xlabel("trained parameters, with head (grey: the same on a random backbone)")
        axes.set_ylabel(f"{SCORES.get(first['score_name'], first['score_name'])} ({better} is better)")
        axes.set_title(f"{first['task']}, {first['data'] or first['set']}")
        axes.grid(alpha=0.3)
        axes.margins(x=0.2)
    return figure
