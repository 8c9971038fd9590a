"""The hardest utterances of a test set: reference, and the hypothesis of each method with its errors marked."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import groupby

from sure.data.tables import read_table
from sure.report.page.html import Html, joined, tag
from sure.report.page.recordings import Recordings
from sure.report.results import Result, rows_of
from sure.score.error_rate import Pair, aligned_pairs

SHOWN = 25  # utterances of a test set
WITHOUT_TEXT = ("eer", "mcd")  # scores of tasks whose hyp.txt has embeddings, or that have none
Aligned = Mapping[str, list[Pair]]


def hardest_utterances(results: Sequence[Result], recordings: Recordings) -> Html:
    """The utterances with the highest error rate, mean over rows (first seed of each). Empty without texts.

    Errors are words as written in ref.txt and hyp.txt, without the folding of phones; characters where CER is the main
    score. For classifiers, the label is the text.
    Raises SureError naming a line of hyp.txt or ref.txt that cannot be read.
    """
    first = results[0]
    if first["score_name"] in WITHOUT_TEXT:
        return Html()
    characters = first["score_name"] == "cer"
    rows = {name: _aligned(row[0], characters) for name, row in rows_of(results).items()}
    rows = {name: aligned for name, aligned in rows.items() if aligned}
    ids = dict.fromkeys(id for aligned in rows.values() for id in aligned)
    rates = {id: statistics.fmean(_rate(one[id]) for one in rows.values() if id in one) for id in ids}
    wrong = sorted((id for id in ids if rates[id]), key=lambda id: -rates[id])
    if not wrong:
        return Html()
    separator = "" if characters else " "
    blocks = [
        _block(id, rates[id], {name: one[id] for name, one in rows.items() if id in one}, separator,
               recordings.of_utterance(first, id))
        for id in wrong[:SHOWN]
    ]  # fmt: skip
    note = (
        f"{len(wrong):,} of {len(ids):,} utterances have errors; the {len(blocks)} with the highest error rates, mean "
        f"over {len(rows)} rows, first seed of each. "
    )
    marks = [tag("del", "reference only"), " ", tag("ins", "hypothesis only")]
    return joined([tag("p", note, *marks, class_="note"), *blocks])


def _aligned(result: Result, characters: bool) -> Aligned:
    references, hypotheses = (read_table(result.folder / name) for name in ("ref.txt", "hyp.txt"))
    both = {id: text for id, text in references.items() if id in hypotheses}
    return dict(zip(both, aligned_pairs(both, hypotheses, characters), strict=True)) if both else {}


def _rate(pairs: Sequence[Pair]) -> float:
    """Errors in percent of the reference."""
    return 100.0 * sum(bool(mark) for *_, mark in pairs) / max(1, sum(bool(word) for word, *_ in pairs))


def _block(id: str, rate: float, rows: Mapping[str, Sequence[Pair]], separator: str, player: Html) -> Html:
    reference = separator.join(word for word, *_ in next(iter(rows.values())) if word)
    lines = [part for name, pairs in rows.items() for part in (tag("dt", name), _difference(pairs, separator))]
    heading = tag("h5", id, " ", tag("small", f"{rate:.0f} %"))
    return tag("div", heading, player, tag("dl", tag("dt", "reference"), _words(reference), *lines), class_="utterance")


def _difference(pairs: Sequence[Pair], separator: str) -> Html:
    """The hypothesis, with words of the reference that it lacks as <del>, and words that it adds as <ins>."""
    parts = []
    for wrong, run in groupby(pairs, key=lambda pair: bool(pair[2])):
        words = list(run)
        texts = [separator.join(filter(None, (pair[side] for pair in words))) for side in (0, 1)]
        parts += (
            [tag(kind, text) for kind, text in zip(("del", "ins"), texts, strict=True) if text] if wrong else texts[1:]
        )
    return tag("dd", joined(parts, separator) or Html("&nbsp;"), dir="auto")


def _words(text: str) -> Html:
    return tag("dd", text, dir="auto")
