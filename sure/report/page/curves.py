"""Training curves of the page, from the metrics.jsonl of each experiment."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sure.errors import SureError
from sure.parsing import parse_json, read_json
from sure.report.page.charts import Line, curve_chart, legend
from sure.report.page.html import Html, joined, tag
from sure.report.results import Result

AGAIN = "run stage 4 (sure.bin.train) again"


def curves(results: Sequence[Result]) -> Html:
    """Losses, and the score that selects the epoch, of each seed folder of one task. Empty without metrics.jsonl.

    The seeds of an experiment have one colour. Raises SureError naming a damaged metrics.jsonl or best.json.
    """
    seeds = {one.seed: one.experiment.name for one in results if not one.is_upper_bound}
    runs = {folder: lines for folder in seeds if (lines := _read(folder / "metrics.jsonl"))}
    if not runs:
        return Html()
    scores = dict.fromkeys(f"dev_{name}" for folder in runs if (name := _score_name(folder)))
    names = list(dict.fromkeys(seeds[folder] for folder in runs))
    charts = []
    for key in ("train_loss", "dev_loss", *scores):
        found = [
            Line(f"{seeds[folder]} {folder.name}", names.index(seeds[folder]), _points(lines, key))
            for folder, lines in runs.items()
        ]
        charts.append(curve_chart(found, key.replace("_", " ")))
    return joined([legend(names), tag("div", *charts, class_="row")])


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        lines = [parse_json(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if line["epoch"] >= 0]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SureError(f"{path} cannot be used ({error}); {AGAIN}") from None


def _score_name(folder: Path) -> str:
    best = folder / "best.json"
    return str(read_json(best, AGAIN, ("score_name",))["score_name"]) if best.is_file() else ""


def _points(lines: Sequence[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    known = [(line["epoch"], line.get(key)) for line in lines]
    return [(epoch, value) for epoch, value in known if isinstance(value, int | float) and math.isfinite(value)]
