"""Figures of reports: scores against trained parameters, one point for each method.

Error bars are standard deviations over seeds.
"""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sure.files import replace_file
from sure.report.results import SCORES, Result, rows_of, tests_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure

    from sure.report.suite import Suite

PANELS_PER_ROW = 3  # of a suite
MARKERS = "osD^v"  # the next marker after ten methods, because there are ten colours
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
    """A panel for each task and test set.

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


def make_suite_figure(suite: Suite) -> Figure:
    """A panel for each column of the suite in the order of its tables, a colour for each method."""
    from matplotlib.figure import Figure

    panels = [(backbone, column) for backbone, columns in suite.sections.items() for column in columns]
    rows = math.ceil(len(panels) / PANELS_PER_ROW)
    figure = Figure(figsize=(4 * PANELS_PER_ROW, 3.2 * rows + 0.6), layout="constrained")
    drawn = {}
    for number, (backbone, column) in enumerate(panels, 1):
        axes = figure.add_subplot(rows, PANELS_PER_ROW, number)
        score = column.main_score
        for index, method in enumerate(suite.methods):
            values = score.values(method)
            if not values:
                continue
            style = {"marker": MARKERS[index // 10 % len(MARKERS)], "color": f"C{index % 10}", "linestyle": "none"}
            drawn[method] = _draw_point(axes, column.cells[method], values, **style)
        axes.set_xscale("log")
        axes.set_title(column.name if len(suite.sections) == 1 else f"{column.name}\n{backbone}", fontsize=9)
        axes.set_ylabel(score.label)
        axes.grid(alpha=0.3)
        axes.margins(x=0.2)
    figure.supxlabel("trained parameters, with head")
    methods = [method for method in suite.methods if method in drawn]
    figure.legend([drawn[method] for method in methods], methods, loc="outside upper center", ncols=6)
    return figure


def _draw_rows(axes: Axes, rows: Sequence[tuple[str, Sequence[Result]]]) -> None:
    for name, row in rows:
        scores = [result["score"] for result in row]
        if _is_random(row):
            axes.plot(_parameters(row), statistics.fmean(scores), marker="o", color="grey")
        else:
            _draw_point(axes, row, scores, marker="o")
            axes.text(_parameters(row), statistics.fmean(scores), name, fontsize=8, gid=METHOD)
    axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.margins(x=0.2, y=0.2 if _is_random(rows[0][1]) else 0.05)


def _draw_point(axes: Axes, row: Sequence[Result], scores: Sequence[float], **style: Any) -> ErrorbarContainer:
    spread = statistics.stdev(scores) if len(scores) > 1 else 0
    return axes.errorbar(_parameters(row), statistics.fmean(scores), yerr=spread, capsize=3, **style)


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
