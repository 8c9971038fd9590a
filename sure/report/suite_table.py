"""Markdown tables of a suite: a row for each method, a column for each corpus and task."""

import statistics
from collections.abc import Iterable, Sequence

from sure.errors import some_of
from sure.report.different_data import different_data
from sure.report.markdown import escaped, table
from sure.report.results import Result, distinct
from sure.report.suite import Column, Experiment, Row, Score, Suite, mean_ranks

# Tables of a section and their tasks; other tasks are in a last table.
TABLES = {
    "Emotion, speaker and speech recognition": ("emotion", "speaker", "verification", "asr"),
    "Keywords, intents, phonemes and slots": ("keyword", "intent", "phoneme", "slots"),
}
OTHER = "Other tasks"
# Further scores of a task, as in SURE and SUPERB, unless they are its main score; and whether higher is better.
FURTHER = {"emotion": {"accuracy": True, "weighted_f1": True}, "slots": {"slot_value_cer": False}}


def markdown(suite: Suite) -> str:
    """Tables for each backbone, then the rows without all results, with the reason."""
    return "\n".join([*(_section(*section, suite) for section in suite.sections.items()), _missing(suite)])


def _section(backbone: str, columns: Sequence[Column], suite: Suite) -> str:
    tables: dict[str, list[Score]] = {title: [] for title in (*TABLES, OTHER)}
    for column in columns:
        title = next((title for title, tasks in TABLES.items() if column.row.task in tasks), OTHER)
        main, further = column.main_score, FURTHER.get(column.row.task, {})
        tables[title] += [main, *(Score(column, name, higher) for name, higher in further.items() if name != main.name)]
    parts = [f"## {escaped(backbone)}", "### All tasks", _summary(columns, suite)]
    for title, scores in tables.items():
        parts += [f"### {title}", _table(scores, columns, suite)] if scores else []
    return "\n\n".join([*parts, _notes(columns, suite)]) + "\n"


def _summary(columns: Sequence[Column], suite: Suite) -> str:
    scores = [column.main_score for column in columns]
    ranks, counted = mean_ranks(scores, suite.methods, len(suite.seeds))
    rank = f"mean rank ({counted} of {len(scores)} columns)"
    wanted = len(suite.rows) * len(suite.seeds)
    lines = [["method", "trained without head", "of all %", rank, f"results (of {wanted})"]]
    for method in suite.methods:
        results = _results(columns, method)
        rank = f"{ranks[method]:.2f}" if ranks else "-"
        seeds = {result.seed for result in results}
        lines.append([escaped(method), _parameters(results), _percent(results), rank, str(len(seeds))])
    return table(lines)


def _table(scores: Sequence[Score], columns: Sequence[Column], suite: Suite) -> str:
    lines = [
        ["method", "trained without head", *(f"{escaped(score.column.name)}<br>{score.label}" for score in scores)]
    ]
    best = [score.best(suite.methods) for score in scores]
    for method in suite.methods:
        values = [score.values(method) for score in scores]
        cells = [_cell(*cell, len(suite.seeds)) for cell in zip(values, best, strict=True)]
        lines.append([escaped(method), _parameters(_results(columns, method)), *cells])
    return table(lines)


def _cell(values: Sequence[float], best: str | None, seeds: int) -> str:
    if not values:
        return "-"
    mean = f"{statistics.fmean(values):.2f}"
    mean = f"**{mean}**" if mean == best else mean
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return mean + spread + (f" ({len(values)})" if len(values) < seeds else "")


def _results(columns: Sequence[Column], method: str) -> list[Result]:
    return [result for column in columns for result in column.cells.get(method, [])]


def _parameters(results: Iterable[Result]) -> str:
    counts = {result["adapter_parameters"] for result in results} - {None}
    return " to ".join(f"{count:,}" for count in sorted({min(counts), max(counts)})) if counts else "-"


def _percent(results: Iterable[Result]) -> str:
    """Trained parameters in percent of all parameters, both without the head."""
    counts = [[result[f"{part}_parameters"] for part in ("adapter", "total", "head")] for result in results]
    shares = [100 * adapter / (total - head) for adapter, total, head in counts if None not in (adapter, total, head)]
    return f"{statistics.fmean(shares):.2f}" if shares else "-"


def _notes(columns: Sequence[Column], suite: Suite) -> str:
    results = [result for method in suite.methods for result in _results(columns, method)]
    facts = {
        "test utterances": ", ".join(f"{column.name} {column.first['utterances']:,}" for column in columns),
        "device": distinct(results, "device"),
        "scored on": distinct(results, "date"),
        "code": distinct(results, "git_hash"),
    }
    return (
        f"Mean ± sample standard deviation over the seeds {', '.join(suite.seeds)}; (n): over n seeds. "
        "↑: higher is better, ↓: lower is better. Bold: best of a column.\n"
        "Mean rank: by the main score of each task, over the columns in which every method has every seed.\n\n"
    ) + "\n".join([*(f"- {name}: {escaped(value)}" for name, value in facts.items()), *_different_data(columns)])


def _different_data(columns: Sequence[Column]) -> list[str]:
    """A line for each column whose results were trained on different data: methods, seeds, or an edited corpus."""
    cells = [
        {name: [(one.seed.name, one.values) for one in cell] for name, cell in column.cells.items()}
        for column in columns
    ]
    pairs = zip(columns, cells, strict=True)
    return [f"- {escaped(column.name)}: {line}" for column, cell in pairs for line in different_data(cell, "methods")]


def _missing(suite: Suite) -> str:
    columns = [column for columns in suite.sections.values() for column in columns]
    have = {result.seed for method in suite.methods for result in _results(columns, method)}
    lines, complete = [], 0
    for row in suite.rows:
        missing = [experiment for experiment in row.experiments if experiment.folder not in have]
        complete += bool(row.experiments) and not missing
        if missing or not row.experiments or row.state != "done":
            lines.append(_row_state(row, missing))
    lines += [f"- left out, because results are not comparable: {escaped(problem)}" for problem in suite.problems]
    count = f"{complete} of {len(suite.rows)} rows have all their results."
    return "\n".join(["## Missing", "", count, *([""] if lines else []), *lines]) + "\n"


def _row_state(row: Row, missing: Sequence[Experiment]) -> str:
    wanted = len(row.experiments)
    state = f"{escaped(row.state)}{', ' if row.note else ''}{escaped(row.note)}"
    text = f"- {escaped(row.name)}: {state}; {wanted - len(missing)} of {wanted} results"
    if 0 < len(missing) < wanted:
        text += f", without {some_of([f'{each.method} seed {each.seed}' for each in missing])}"
    return text
