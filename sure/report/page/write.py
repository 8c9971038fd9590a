"""Writes the page: for each task and test set the tables, charts and utterances of its experiments."""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template

from sure import __version__
from sure.errors import counted
from sure.files import replace_file
from sure.report.different_data import different_data
from sure.report.page.charts import pareto_chart
from sure.report.page.confusions import confusions
from sure.report.page.curves import curves
from sure.report.page.html import Html, folded, joined, table, tag
from sure.report.page.listening import listening_table
from sure.report.page.recordings import Recordings
from sure.report.page.utterances import hardest_utterances
from sure.report.results import (
    SCORES,
    Result,
    by_language,
    commands_of,
    facts_of,
    grouped,
    rows_of,
    sets_of,
    summary_of,
)

TEMPLATE = Path(__file__).with_name("page.html")
OPENED = 12  # rows of the table of runs; a longer one is folded
SCRIPT = re.compile(r"<script>(.*)</script>", re.DOTALL)


def write_page(results: Sequence[Result], without: Sequence[Path], path: Path, megabytes: float = 0.0) -> None:
    """Write the page of the results of `collect`. without: seed folders without results, which the page names.

    megabytes: recordings inside the page, as the hardest utterances and the listening tables have players; 0: none.
    Raises SureError for a damaged file of an experiment, and for a recording that cannot be read.
    """
    recordings = Recordings(megabytes)
    tasks = grouped(results, lambda one: one["task"])
    sections = [
        _task(str(task), group, f"task{number}", recordings) for number, (task, group) in enumerate(tasks.items())
    ]
    links = [tag("li", tag("a", str(task), href=f"#task{number}")) for number, task in enumerate(tasks)]
    notes = [f"Written by SURE {__version__}."]
    if without:
        notes.append(f"Without scores: {', '.join(map(str, without))}.")
    if recordings.refused:
        notes.append(f"{counted(recordings.refused, 'player')} left out, because --audio allows {megabytes:g} MB.")
    template = TEMPLATE.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(SCRIPT.search(template)[1].encode()).digest()).decode()
    content = joined([*(tag("p", note, class_="note") for note in notes), tag("nav", tag("ul", *links)), *sections])
    title = tag("title", f"{path.stem}: results")
    replace_file(path, Template(template).substitute(title=title, digest=digest, content=content))


def _task(task: str, results: Sequence[Result], anchor: str, recordings: Recordings) -> Html:
    """Tables of all test sets, training curves, then utterances of all test sets, because these are long."""
    tests = sets_of(results)
    parts = [tag("h2", task), *map(_test, tests)]
    if drawn := curves(results):
        parts.append(joined([tag("h3", "Training curves"), drawn]))
    for test in tests:
        if shown := joined([listening_table(test, recordings), hardest_utterances(test, recordings)]):
            parts.append(folded(f"Utterances: {_name(test)}", shown, opened=True))
    return tag("section", *parts, id=anchor)


def _name(results: Sequence[Result]) -> str:
    return str(results[0]["data"] or results[0]["set"])


def _test(results: list[Result]) -> Html:
    """Tables and chart of one test set."""
    first, rows = results[0], rows_of(results)
    better = "Higher" if first["higher_is_better"] else "Lower"
    main = SCORES.get(first["score_name"], first["score_name"])
    data = {name: [(one.seed.name, one.values) for one in row] for name, row in rows.items()}
    notes = [
        f"{main}: {better.lower()} is better. In brackets: 95 % bootstrap interval; ±: standard deviation over seeds.",
        *different_data(data),
    ]
    facts = [part for name, value in facts_of(results).items() for part in (tag("dt", name), tag("dd", value))]
    return joined(
        [
            tag("h3", _name(results)),
            *(tag("p", note, class_="note") for note in notes),
            table(summary_of(results), f"Methods on {first['set']}"),
            table(several, f"Languages of {first['set']}") if (several := by_language(results)) else "",
            pareto_chart(results),
            folded("Runs", _runs(rows, main), opened=len(results) <= OPENED),
            folded("Data, backbone, device", tag("dl", *facts)),
            folded("All commands", tag("pre", commands_of(results), tabindex=0)),
            confusions(results),
        ]
    )


def _runs(rows: dict[str, list[Result]], main: str) -> Html:
    """The table of all seeds, with the command of each training."""
    lines: list[list[str]] = [
        ["method", "seed", main, "dev", "best epoch", "epochs", "training s", "device", "command"]
    ]
    for name, row in rows.items():
        for one in row:
            numbers = [_number(one["score"], ".2f"), _number(one["dev_score"], ".2f")]
            numbers += [_number(one[key], ",.0f") for key in ("best_epoch", "epochs", "training_seconds")]
            command = folded("show", tag("pre", str(one["command"]), tabindex=0)) if one["command"] else "-"
            lines.append([name, one.seed.name, *numbers, str(one["device"] or "-"), command])
    return table(lines, "Runs")


def _number(value: object, form: str) -> str:
    return format(value, form) if isinstance(value, int | float) else "-"
