"""Word, character and phone error rates (jiwer), and a listing of the errors with both lines aligned."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import jiwer

from sure.errors import SureError
from sure.score.bootstrap import ratio_interval

KINDS = ("substitute", "delete", "insert")
MARKS = {"equal": "", "substitute": "S", "delete": "D", "insert": "I"}

Pair = tuple[str, str, str]  # a word of the reference, the one of the hypothesis below it, and the mark of their error


def error_rates(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
    """WER and CER in percent with intervals, and their counts; texts by utterance id, both with the same ids.

    (substitutions + deletions + insertions) / words or characters of the references, so above 100 at times.
    The space between words is a character. What is said for an empty reference counts as insertions.
    Raises SureError when all references are empty: then there is no rate.
    """
    texts = _texts(references, hypotheses)
    words, characters = jiwer.process_words(*texts), jiwer.process_characters(*texts)
    return {
        **_rate("wer", words),
        **_rate("cer", characters),
        "sentence_error_rate": _sentence_error_rate(words),
        "words": _counts(words),
        "characters": _counts(characters),
    }


def phone_error_rates(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
    """PER in percent with its interval, and its counts, of phones with spaces between; else as `error_rates`."""
    phones = jiwer.process_words(*_texts(references, hypotheses))
    return {**_rate("per", phones), "sentence_error_rate": _sentence_error_rate(phones), "phones": _counts(phones)}


def aligned_listing(references: Mapping[str, str], hypotheses: Mapping[str, str], frequent: int = 20) -> str:
    """Every utterance, reference above hypothesis and wrong words in capitals, as NIST's sclite prints it.

    Behind them the totals, and the errors that occur most often, word by word. Both mappings are by utterance id, with
    the same ids.
    """
    output = jiwer.process_words(*_texts(references, hypotheses))
    aligned = zip(output.references, output.hypotheses, output.alignments, strict=True)
    utterances = [_pairs(*utterance) for utterance in aligned]
    blocks = [_aligned(id, pairs) for id, pairs in zip(references, utterances, strict=True)]
    return "\n".join([*blocks, _totals(utterances), *_confusions(utterances, frequent)])


def _texts(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> tuple[list[str], list[str]]:
    return tuple([" ".join(side[id].split()) for id in references] for side in (references, hypotheses))


def _rate(name: str, output: jiwer.WordOutput | jiwer.CharacterOutput) -> dict[str, Any]:
    sizes = [len(reference) for reference in output.references]
    if not sum(sizes):
        raise SureError("all references are empty, so there is no error rate; check the set's text file")
    errors = [sum(_errors(chunks)) for chunks in output.alignments]
    return {name: 100.0 * sum(errors) / sum(sizes), f"{name}_interval": ratio_interval(errors, sizes)}


def _sentence_error_rate(output: jiwer.WordOutput) -> float:
    wrong = sum(said != heard for said, heard in zip(output.references, output.hypotheses, strict=True))
    return 100.0 * wrong / len(output.references)


def _counts(output: jiwer.WordOutput | jiwer.CharacterOutput) -> dict[str, int]:
    return {
        "reference": output.hits + output.substitutions + output.deletions,
        "correct": output.hits,
        "substitutions": output.substitutions,
        "deletions": output.deletions,
        "insertions": output.insertions,
    }


def _errors(chunks: list[jiwer.AlignmentChunk]) -> list[int]:
    """Substitutions, deletions, insertions of one utterance."""
    counts = dict.fromkeys(KINDS, 0)
    for chunk in chunks:
        if chunk.type in counts:
            said, heard = chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
            counts[chunk.type] += max(said, heard)
    return list(counts.values())


def _pairs(reference: list[str], hypothesis: list[str], chunks: list[jiwer.AlignmentChunk]) -> list[Pair]:
    """What stands above what."""
    pairs: list[Pair] = []
    for chunk in chunks:
        said = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
        pairs += [(*pair, MARKS[chunk.type]) for pair in itertools.zip_longest(said, heard, fillvalue="")]
    return pairs


def _aligned(id: str, pairs: list[Pair]) -> str:
    columns = []
    for said, heard, mark in pairs:
        width = max(len(said), len(heard))
        words = [word.upper() if word else "*" * width for word in (said, heard)] if mark else [said, heard]
        columns.append([*words, mark])
    widths = [max(map(len, column)) for column in columns]
    rows = [
        " ".join(column[row].ljust(width) for column, width in zip(columns, widths, strict=True)).rstrip()
        for row in range(3)
    ]
    marks = Counter(mark for _, _, mark in pairs)
    scores = f"correct {marks['']}, substituted {marks['S']}, deleted {marks['D']}, inserted {marks['I']}"
    return f"{id}\n{scores}\nREF: {rows[0]}\nHYP: {rows[1]}\n     {rows[2]}\n"


def _totals(utterances: list[list[Pair]]) -> str:
    marks = Counter(mark for pairs in utterances for _, _, mark in pairs)
    words = marks.total() - marks["I"]
    wrong = sum(any(mark for _, _, mark in pairs) for pairs in utterances)

    def share(count: int, of: int) -> str:
        return f"{count:,} ({100 * count / of:.2f} %)" if of else f"{count:,}"

    kinds = (("correct", ""), ("substituted", "S"), ("deleted", "D"), ("inserted", "I"))
    counts = ", ".join(f"{name} {share(marks[mark], words)}" for name, mark in kinds)
    errors = share(marks["S"] + marks["D"] + marks["I"], words)
    return (
        f"totals\n{len(utterances):,} utterances, with errors {share(wrong, len(utterances))}\n"
        f"{words:,} words: {counts}; errors {errors}\n"
    )


def _confusions(utterances: list[list[Pair]], frequent: int) -> Iterator[str]:
    """The most frequent errors of each kind; of equals in the order of the words."""
    for name, mark in (("substituted", "S"), ("deleted", "D"), ("inserted", "I")):
        errors = Counter((said, heard) for pairs in utterances for said, heard, kind in pairs if kind == mark)
        shown = sorted(errors.items(), key=lambda error: (-error[1], error[0]))[:frequent]
        lines = [f"{count:6,}  {' -> '.join(filter(None, words))}\n" for words, count in shown]
        yield f"{name}: {len(lines):,} of {len(errors):,} different ones, the most frequent\n{''.join(lines)}"
