"""A suite's scores against trained parameters: a small panel for each column, a colour for each method."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from sure.files import replace_file
from sure.report.suite import Suite
from sure.report.suite_scores import own_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 3
MARKERS = "osD^v"  # another one for every ten methods: there are ten colours


def draw(suite: Suite, path: Path) -> None:
    """Write the picture as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = make_figure(suite)
    FigureCanvasAgg(figure)
    replace_file(path, lambda sink: figure.savefig(sink, format="png", dpi=100))


def make_figure(suite: Suite) -> Figure:
    """Panels in the order of the tables. Bars are standard deviations over seeds."""
    from matplotlib.figure import Figure

    panels = [(section, column) for section in suite.sections for column in section.columns]
    down = math.ceil(len(panels) / ACROSS)
    figure = Figure(figsize=(4 * ACROSS, 3.2 * down + 0.6), layout="constrained")
    drawn = {}
    for number, (section, column) in enumerate(panels, 1):
        axes = figure.add_subplot(down, ACROSS, number)
        score = own_score(column)
        for index, method in enumerate(suite.methods):
            values = score.values(method)
            if not values:
                continue
            trained = statistics.fmean(result["trained_parameters"] or 1 for result in column.cells[method])
            spread = statistics.stdev(values) if len(values) > 1 else 0
            look = {"marker": MARKERS[index // 10 % len(MARKERS)], "color": f"C{index % 10}", "capsize": 3}
            drawn[method] = axes.errorbar(trained, statistics.fmean(values), yerr=spread, linestyle="none", **look)
        axes.set_xscale("log")
        axes.set_title(column.name if len(suite.sections) == 1 else f"{column.name}\n{section.backbone}", fontsize=9)
        axes.set_ylabel(score.label)
        axes.grid(alpha=0.3)
        axes.margins(x=0.2)
    figure.supxlabel("trained parameters, with head")
    methods = [method for method in suite.methods if method in drawn]
    figure.legend([drawn[method] for method in methods], methods, loc="outside upper center", ncols=6)
    return figure
