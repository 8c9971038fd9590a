"""Table of dev scores by method and learning rate of the adapter, to choose a rate for each method."""

import statistics
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from sure import registry
from sure.errors import SureError
from sure.parsing import read_json
from sure.report.different_data import different_data
from sure.report.markdown import table
from sure.report.results import grouped


def collect(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """The summary.json of each folder.

    Raises SureError for a folder without one, for different tasks and scores, and for a method, rate and seed twice.
    """
    again = "run stage 4 (sure.bin.train) again"
    summaries = [read_json(folder / "summary.json", again, keys=("task",)) for folder in folders]
    seen: dict[tuple[Any, ...], Path] = {}
    for folder, summary in zip(folders, summaries, strict=True):
        other = seen.setdefault((summary["method"], summary["lr_adapter"], summary["seed"]), folder)
        if other != folder:
            raise SureError(f"{other} and {folder} have the same method, learning rate and seed; pass only one of them")
    tasks = sorted({summary["task"] for summary in summaries})
    if len(tasks) != 1:
        raise SureError(f"expected experiments of one task, found {', '.join(tasks) or 'none'}")
    usual = registry.find("tasks", tasks[0]).score_name  # of summaries of earlier versions
    scores = sorted({summary.get("dev_score_name", usual) for summary in summaries})
    if len(scores) != 1:
        raise SureError(f"expected experiments whose epochs one score selected, found {', '.join(scores)}")
    return summaries


def markdown(summaries: Sequence[dict[str, Any]]) -> str:
    """A row for each method and a column for each learning rate, with the best rate of each method in bold.

    A rate with fewer seeds than other rates of the method shows its number of seeds and is never the best.
    """
    task = registry.find("tasks", summaries[0]["task"])
    best = max if task.higher_is_better else min
    rates = sorted({summary["lr_adapter"] for summary in summaries})
    lines = [["method", *(f"{rate:g}" for rate in rates)]]
    for method, rows in grouped(summaries, itemgetter("method")).items():
        runs = grouped(rows, itemgetter("lr_adapter"))
        means = {rate: statistics.fmean(run["dev_score"] for run in runs[rate]) for rate in runs}
        most = max(map(len, runs.values()))
        chosen = best((rate for rate in means if len(runs[rate]) == most), key=means.__getitem__)
        number = {rate: f" ({len(runs[rate])})" if len(runs[rate]) < most else "" for rate in runs}
        cells = {rate: f"{mean:.2f}{number[rate]}" for rate, mean in means.items()}
        cells[chosen] = f"**{cells[chosen]}**"
        lines.append([method, *(cells.get(rate, "-") for rate in rates)])
    better = "higher" if task.higher_is_better else "lower"
    epochs, seeds = (", ".join(map(str, sorted({one[key] for one in summaries}))) for key in ("epochs", "seed"))
    runs = grouped(summaries, lambda one: f"{one['method']} {one['lr_adapter']:g}")
    cells = {name: [(f"seed{one['seed']}", one) for one in group] for name, group in runs.items()}
    return (
        f"dev {summaries[0].get('dev_score_name', task.score_name)} % by learning rate of the adapter "
        f"({better} is better; epochs: {epochs}; seeds: {seeds})\n\n"
        f"{table(lines)}\n\nWrite the learning rate that you choose into conf/rates.yaml: under "
        f"`{summaries[0]['task']}`, or under `all` for every task.\n"
    ) + "".join(f"{line}\n" for line in different_data(cells, "rates"))
