"""Figure of a report: scores against trained parameters, one point for each method."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sure.files import replace_file
from sure.report.results import SCORES, Result, rows_of, tests_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METHOD = "method"  # gid of the texts that are names of methods


def draw(results: Sequence[Result], path: Path) -> None:
    """Write the figure of the results of `collect` as a PNG."""
    figure = make_figure(results)
    _separate_names(figure)
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG."""
    replace_file(path, lambda sink: figure.savefig(sink, format="png", dpi=100))


def make_figure(results: Sequence[Result]) -> Figure:
    """A panel for each task and test set. Error bars are standard deviations over seeds.

    Random backbones are grey in axes below, because their scores are far from the others.
    """
    from matplotlib.figure import Figure

    tests = tests_of(results)
    figure = Figure(figsize=(9, 5.5 * len(tests)), layout="constrained")
    for panel, group in zip(figure.subfigures(len(tests), 1, squeeze=False).flat, tests, strict=True):
        rows = [row for row in rows_of(group).items() if all(result["score"] is not None for result in row[1])]
        bounds = [row for row in rows if row[1][0].is_upper_bound]
        rows = sorted((row for row in rows if row not in bounds), key=lambda item: _parameters(item[1])) or bounds
        trained, random = ([row for row in rows if _is_random(row[1]) == kind] for kind in (False, True))
        groups = [rows for rows in (trained, random) if rows]
        ratios = [4, 1] if len(groups) > 1 else [1]
        axes = panel.subplots(len(groups), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
        for each, some in zip(axes, groups, strict=True):
            _draw_rows(each, some)
        for name, row in bounds if rows is not bounds else []:
            axes[0].axhline(row[0]["score"], color="grey", linestyle=":")
            style = {"xytext": (3, 3), "textcoords": "offset points", "fontsize": 8}
            axes[0].annotate(name, (0, row[0]["score"]), xycoords=("axes fraction", "data"), **style)
        first = group[0]
        better = "higher" if first["higher_is_better"] else "lower"
        axes[0].set_title(f"{first['task']}, {first['data'] or first['set']}")
        axes[0].set_ylabel(f"{SCORES.get(first['score_name'], first['score_name'])} ({better} is better)")
        axes[-1].set_xlabel("trained parameters, with head" + " (grey: random backbone)" * bool(random))
    return figure


def _draw_rows(axes: Axes, rows: Sequence[tuple[str, Sequence[Result]]]) -> None:
    for name, row in rows:
        scores = [result["score"] for result in row]
        point = _parameters(row), statistics.fmean(scores)
        if _is_random(row):
            axes.plot(*point, marker="o", color="grey")
            continue
        spread = statistics.stdev(scores) if len(scores) > 1 else 0
        axes.errorbar(*point, yerr=spread, marker="o", capsize=3)
        axes.text(*point, name, fontsize=8, gid=METHOD)
    axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.margins(x=0.2, y=0.2 if _is_random(rows[0][1]) else 0.05)


def _separate_names(figure: Figure) -> None:
    """Move overlapping names of methods apart, with a line from each moved name to its point."""
    from adjustText import adjust_text
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    logging.getLogger("adjustText").setLevel(logging.ERROR)  # it warns about panels of a figure
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()  # computes the sizes of texts
    figure.set_layout_engine("none")
    for axes in figure.axes:
        if names := [text for text in axes.texts if text.get_gid() == METHOD]:
            adjust_text(names, ax=axes, expand=(1.15, 1.4), arrowprops={"arrowstyle": "-", "color": "grey"})


def _is_random(row: Sequence[Result]) -> bool:
    return str(row[0]["backbone_weights"]).startswith("random")


def _parameters(row: Sequence[Result]) -> float:
    """Trained parameters, mean over seeds."""
    return statistics.fmean(result["trained_parameters"] or 1 for result in row)
