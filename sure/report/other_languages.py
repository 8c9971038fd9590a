"""Table of the scores in languages that were not trained (run.sh --also): with each adapter, and without any."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sure.report.markdown import escaped, table
from sure.text.languages import is_mixed, language_code

UNTOUCHED = "linear_probe"  # trains nothing in a recogniser with a decoder
Values = Mapping[str, Any] | Any  # has `result[key]`, None without the key


def is_other_language(result: Values) -> bool:
    """Whether the decoded set has one language, and the training another one."""
    language, trained = result["language"], result["training_language"]
    if not language or not trained or is_mixed(trained):
        return False
    return language_code(language) != language_code(trained)


def section_of_other_languages(
    rows: Mapping[str, Sequence[Values]], score: Callable[[list, str], str], names: Mapping[str, str]
) -> str:
    """The table of results in other languages.

    rows: by name, the results of an experiment in one or more languages, of one or more seeds. score: the cell of a
    language's results and the name of their score. names: of scores in headers.
    """
    results = [one for row in rows.values() for one in row]
    columns = {_column(one): one for one in results}
    untouched = {key: [one for one in results if one["method"] == UNTOUCHED and _column(one) == key] for key in columns}
    header = ["method", "adapter", "seeds"]
    for one in columns.values():
        header += [f"{one['language']}: {names.get(one['score_name'], one['score_name'])}", "change"]
    lines = [header]
    for name, row in sorted(rows.items(), key=lambda item: item[1][0]["method"] != UNTOUCHED):
        off = row[0]["method"] == UNTOUCHED
        line = [escaped(name), "off" if off else "on", str(len({one.seed for one in row}))]
        for key in columns:
            found = [one for one in row if _column(one) == key]
            line += [score(found, found[0]["score_name"]) if found else "-"]
            line += ["-" if off else _change(found, untouched[key])]
        lines.append(line)
    first = results[0]
    sets = "; ".join(f"{one['language']}: {one['data']}, {one['utterances']:,} utterances" for one in columns.values())
    return (
        f"## {escaped(first['task'])}, languages that were not trained\n\n{table(lines)}\n\n"
        f"Trained: {escaped(first['training_language'])}. Adapter off: {UNTOUCHED}, the recogniser as it is; change: "
        f"mean score with the adapter minus mean score without.\n\n- test sets: {escaped(sets)}\n"
    )


def _column(result: Values) -> tuple:
    return tuple(result[key] for key in ("task", "score_name", "language", "set", "references_sha256"))


def _change(adapted: Sequence[Values], untouched: Sequence[Values]) -> str:
    if not adapted or not untouched:
        return "-"
    means = [statistics.fmean(one["score"] for one in of) for of in (adapted, untouched)]
    return f"{means[0] - means[1]:+.2f}"
