"""Scores of each language of a test set that has several."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sure.data.tables import read_table


def scores_by_language(
    task_of: Callable[[str], Any], data: str | None, references: Mapping[str, str], hypotheses: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """By language of utt2lang: number of utterances, scores with intervals, and the name of the main score.

    task_of: the task, as build_task makes it, of a language. data: the data folder; the result is empty if the folder
    has no utt2lang, or if utt2lang lacks an utterance.
    """
    languages = read_table(Path(data or "") / "utt2lang")
    if not languages.keys() >= references.keys():
        return {}
    found = {}
    for language in sorted({languages[id] for id in references}):
        ids = [id for id in references if languages[id] == language]
        task = task_of(language)
        scores = task.score({id: references[id] for id in ids}, {id: hypotheses[id] for id in ids})
        main = {"score_name": task.score_name, "score": scores[task.score_name]}
        found[language] = {"utterances": len(ids), **main, **scores}
    return found
