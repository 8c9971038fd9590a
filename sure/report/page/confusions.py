"""Confusion tables of the page, from the result.json files of classifiers."""

from collections import Counter
from collections.abc import Sequence

from sure.report.page.html import Html, folded, joined, table, tag
from sure.report.results import Result, rows_of
from sure.score.classification import TABLE_LABELS

MOST_CONFUSED = 30  # confusions in a list, which replaces the table of more than TABLE_LABELS labels


def confusions(results: Sequence[Result]) -> Html:
    """For each row of one test set and each output group: utterances by reference and hypothesis, all seeds together.

    Empty for tasks without labels.
    """
    parts = []
    for name, row in rows_of(results).items():
        for group in row[0]["groups"] or {}:
            title = name if group == "label" else f"{name}, {group}"
            parts.append(folded(f"Confusions: {title}", _table(_counts(row, group), title)))
    return joined(parts)


def _counts(row: Sequence[Result], group: str) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for result in row:
        for label, found in (result["groups"] or {}).get(group, {}).get("confusion", {}).items():
            counts.update({(label, other): number for other, number in found.items()})
    return counts


def _table(counts: Counter[tuple[str, str]], title: str) -> Html:
    labels = sorted({label for pair in counts for label in pair})
    if len(labels) > TABLE_LABELS:
        wrong = [(pair, number) for pair, number in counts.most_common() if pair[0] != pair[1]][:MOST_CONFUSED]
        rows = [["reference", "hypothesis", "utterances"]]
        rows += [[label, other or "-", f"{number:,}"] for (label, other), number in wrong]
        return table(rows, f"Most frequent confusions of {title}")
    header = ["reference \\ hypothesis", *(label or "-" for label in labels)]
    lines: list[list[str]] = [header]
    for label in dict.fromkeys(label for label, _ in sorted(counts)):
        total = sum(counts[label, other] for other in labels)
        lines.append([label, *(_shaded(counts[label, other], total, label == other) for other in labels)])
    return table(lines, f"Confusions of {title}", "counts")


def _shaded(number: int, total: int, correct: bool) -> Html | str:
    if not number:
        return ""
    kind = "right" if correct else "wrong"
    share = round(100 * number / total)
    return tag("span", f"{number:,}", class_=f"shade {kind}", style=f"--share: {share}%", title=f"{share} %")
