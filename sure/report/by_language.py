"""Table of the scores of each language, for test sets with several languages."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sure.errors import counted

Values = Mapping[str, Any] | Any  # has `result[key]`, None without the key


def rows_by_language(
    rows: Mapping[str, Sequence[Values]], score: Callable[[list, str], str], names: Mapping[str, str]
) -> list[list[str]]:
    """Cells, header first: a row for each name, a column for each language; [] where no result has several languages.

    rows: by name, the results of one test set, one for each seed. score: the cell of results and the name of their
    score. names: of scores in headers.
    """
    languages: dict[str, Mapping[str, Any]] = {}
    for result in (one for row in rows.values() for one in row):
        languages |= result["by_language"] or {}
    if not languages:
        return []
    header = ["method", "seeds"]
    for language, one in languages.items():
        name = names.get(one["score_name"], one["score_name"])
        header.append(f"{language}: {name} ({counted(one['utterances'], 'utterance')})")
    return [header, *([name, str(len(row)), *_cells(row, languages, score)] for name, row in rows.items())]


def _cells(row: Sequence[Values], languages: Mapping[str, Mapping[str, Any]], score: Callable) -> list[str]:
    cells = []
    for language, first in languages.items():
        scores = [one["by_language"][language] for one in row if language in (one["by_language"] or {})]
        found = [defaultdict(lambda: None, one) for one in scores]
        cells.append(score(found, first["score_name"]) if found else "-")
    return cells
