"""Notes on tables whose results were trained on different data, and so cannot be compared."""

from collections.abc import Iterable, Mapping
from typing import Any

from sure.report.markdown import escaped

DATA = {"training_set_sha256": "training sets", "dev_set_sha256": "dev sets"}  # key of a digest: name of the data
Values = Mapping[str, Any]  # the content of a result.json or summary.json


def different_data(cells: Mapping[str, Iterable[tuple[str, Values]]], what: str = "rows") -> list[str]:
    """A sentence for the training sets and for the dev sets, where the results have different ones.

    cells: name of each row or cell -> its results, each with the name of its seed. Results without a digest, such as
    recordings, do not count. what: plural noun for the results in the sentence.
    """
    return [line for key, of in DATA.items() if (line := _sentence(cells, key, of, what))]


def _sentence(cells: Mapping[str, Iterable[tuple[str, Values]]], key: str, of: str, what: str) -> str:
    """A sentence that lists cells by data set, and the seeds of a cell with several sets; empty for a single set."""
    sets: dict[str, list[str]] = {}
    for name, results in cells.items():
        known = {seed: values[key] for seed, values in results if values.get(key) is not None}
        if len(set(known.values())) == 1:
            known = {"": next(iter(known.values()))}
        for seed, digest in known.items():
            sets.setdefault(digest, []).append(f"{name} {seed}".strip())
    if len(sets) < 2:
        return ""
    groups = "; ".join(escaped(", ".join(names)) for names in sets.values())
    return f"Do not compare all {what}: they have {len(sets)} different {of}: {groups}."
