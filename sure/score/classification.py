"""Classification scores (scikit-learn), for one or several output groups."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sure.errors import SureError
from sure.score.bootstrap import bootstrap_interval, ratio_interval

Groups = Mapping[str, Sequence[str]]  # output group -> label of every utterance
TABLE_LABELS = 20  # up to this number of labels, confusions are printed as a table
AVERAGED = ("macro_f1", "weighted_f1", "unweighted_average_recall")


def classification_scores(references: Groups, hypotheses: Groups, main: str = "accuracy") -> dict[str, Any]:
    """Scores in percent, with intervals for accuracy, macro F1, unweighted average recall (UAR) and the score `main`.

    accuracy: share of utterances with correct labels in all groups.
    macro_f1: mean F1 of the labels that occur in references or hypotheses.
    weighted_f1: mean F1 weighted by the frequency of each label in the references.
    unweighted_average_recall: mean recall of the labels that occur in references.
    groups: these scores for each output group, and `confusion`: reference -> hypothesis -> number of utterances.
    With several groups, F1 and recall above are means over the groups. Raises SureError without utterances.
    """
    correct = {group: np.equal(references[group], hypotheses[group]) for group in references}
    exact = np.logical_and.reduce(list(correct.values()))
    if not len(exact):
        raise SureError("no utterances to score")
    groups = {
        group: {"accuracy": 100.0 * float(right.mean()), **_label_scores(references[group], hypotheses[group])}
        for group, right in correct.items()
    }
    return {
        "accuracy": 100.0 * float(exact.mean()),
        "accuracy_interval": ratio_interval(exact, np.ones(len(exact))),
        **{name: float(np.mean([scores[name] for scores in groups.values()])) for name in AVERAGED},
        **{
            f"{name}_interval": _interval_of_means(references, hypotheses, name)
            for name in AVERAGED
            if name in ("macro_f1", "unweighted_average_recall", main)
        },
        "groups": groups,
    }


def classification_listing(ids: Sequence[str], references: Groups, hypotheses: Groups) -> str:
    """For each group: precision, recall and F1 of each label, confusions, and all misclassified utterances."""
    from sklearn.metrics import classification_report  # takes more than a second; only scoring needs it

    parts = []
    for group, wanted in references.items():
        found = hypotheses[group]
        report = classification_report(wanted, found, zero_division=0, digits=4)
        wrong = [f"{id} {r} {h or '-'}" for id, r, h in zip(ids, wanted, found, strict=True) if r != h]
        parts += [
            f"{group}\n\n{report}",
            _confusion_text(_confusion(wanted, found)),
            "\n".join([f"wrong: {len(wrong)} of {len(wanted)} (id reference hypothesis)", *wrong]) + "\n",
        ]
    return "\n".join(parts)


def _label_scores(wanted: Sequence[str], found: Sequence[str]) -> dict[str, Any]:
    from sklearn.metrics import precision_recall_fscore_support

    _, recall, f1, support = precision_recall_fscore_support(wanted, found, zero_division=0)
    return {
        "macro_f1": 100.0 * float(f1.mean()),
        "weighted_f1": 100.0 * float(np.average(f1, weights=support)),
        "unweighted_average_recall": 100.0 * float(recall[support > 0].mean()),
        "confusion": _confusion(wanted, found),
    }


def _interval_of_means(references: Groups, hypotheses: Groups, score: str) -> list[float]:
    """Interval of a score of AVERAGED; in each draw the mean is over the labels that occur in the draw.

    F1 of a label is 2 hits / (references + hypotheses), its recall hits / references.
    """
    from scipy.sparse import csr_array  # with many labels nearly all entries are 0

    tables = []
    for group, wanted in references.items():
        names, numbers = np.unique(np.array([wanted, hypotheses[group]], dtype=str), return_inverse=True)
        rows, shape = np.arange(len(wanted)), (len(wanted), len(names))
        is_wanted, is_found = (csr_array((np.ones(shape[0]), (rows, each)), shape) for each in numbers.reshape(2, -1))
        hits, in_both = is_wanted * is_found, is_wanted + is_found
        tables.append((hits, is_wanted, is_wanted) if score.endswith("recall") else (2 * hits, in_both, is_wanted))

    def mean(counts: np.ndarray) -> np.ndarray:
        means = []
        for numerators, denominators, is_wanted in tables:
            occurred = np.ascontiguousarray(counts @ denominators)  # sums of rows round by the order in memory
            values = np.divide(counts @ numerators, occurred, out=np.zeros_like(occurred), where=occurred > 0)
            weights = counts @ is_wanted if score == "weighted_f1" else occurred > 0
            means.append((values * weights).sum(1) / weights.sum(1))
        return 100.0 * np.mean(means, axis=0)

    return bootstrap_interval(mean, len(next(iter(references.values()))))


def _confusion(wanted: Sequence[str], found: Sequence[str]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for (label, hypothesis), count in sorted(Counter(zip(wanted, found, strict=True)).items()):
        table.setdefault(label, {})[hypothesis] = count
    return table


def _confusion_text(confusion: Mapping[str, Mapping[str, int]]) -> str:
    """Confusions as a table; with many labels as a list, most frequent first."""
    names = sorted(set(confusion).union(*confusion.values()))
    if len(names) > TABLE_LABELS:
        pairs = [(-n, label, other) for label, row in confusion.items() for other, n in row.items()]
        lines = [f"{-n} {label} {other or '-'}" for n, label, other in sorted(pairs) if label != other]
        return "\n".join(["confusions (utterances reference hypothesis)", *lines]) + "\n"
    rows = [["", *(name or "-" for name in names)]]
    rows += [[label, *(str(confusion[label].get(name, 0)) for name in names)] for label in confusion]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(["confusion (rows: reference, columns: hypothesis)", *lines]) + "\n"
