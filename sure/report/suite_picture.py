"""Figure of a suite: scores against trained parameters, a panel for each column, a colour for each method."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from sure.report.picture import save_figure
from sure.report.suite import Suite
from sure.report.suite_scores import main_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS_PER_ROW = 3
MARKERS = "osD^v"  # the next marker after ten methods, because there are ten colours


def draw(suite: Suite, path: Path) -> None:
    """Write the figure as a PNG."""
    save_figure(make_figure(suite), path)


def make_figure(suite: Suite) -> Figure:
    """Panels in the order of the tables. Error bars are standard deviations over seeds."""
    from matplotlib.figure import Figure

    panels = [(section, column) for section in suite.sections for column in section.columns]
    rows = math.ceil(len(panels) / PANELS_PER_ROW)
    figure = Figure(figsize=(4 * PANELS_PER_ROW, 3.2 * rows + 0.6), layout="constrained")
    drawn = {}
    for number, (section, column) in enumerate(panels, 1):
        axes = figure.add_subplot(rows, PANELS_PER_ROW, number)
        score = main_score(column)
        for index, method in enumerate(suite.methods):
            values = score.values(method)
            if not values:
                continue
            trained = statistics.fmean(result["trained_parameters"] or 1 for result in column.cells[method])
            spread = statistics.stdev(values) if len(values) > 1 else 0
            style = {"marker": MARKERS[index // 10 % len(MARKERS)], "color": f"C{index % 10}", "capsize": 3}
            drawn[method] = axes.errorbar(trained, statistics.fmean(values), yerr=spread, linestyle="none", **style)
        axes.set_xscale("log")
        axes.set_title(column.name if len(suite.sections) == 1 else f"{column.name}\n{section.backbone}", fontsize=9)
        axes.set_ylabel(score.label)
        axes.grid(alpha=0.3)
        axes.margins(x=0.2)
    figure.supxlabel("trained parameters, with head")
    methods = [method for method in suite.methods if method in drawn]
    figure.legend([drawn[method] for method in methods], methods, loc="outside upper center", ncols=6)
    return figure
