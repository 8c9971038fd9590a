"""Word, character and phone error rates (jiwer), and a listing of aligned references and hypotheses."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import jiwer

from sure.errors import SureError, counted
from sure.score.bootstrap import ratio_interval
from sure.text.languages import without_free_spaces

MARKS = {"equal": "", "substitute": "S", "delete": "D", "insert": "I"}
ERRORS = (("substituted", "S"), ("deleted", "D"), ("inserted", "I"))  # names in the listing

Texts = tuple[list[str], list[str]]  # references and hypotheses
Pair = tuple[str, str, str]  # aligned words of reference and hypothesis, and the mark of the error


def error_rates(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
    """WER and CER in percent with intervals and counts; texts by utterance id, the same ids on both sides.

    Rate: (substitutions + deletions + insertions) / words or characters of the references, so it can exceed 100.
    The space between words is a character, except next to a letter of a script that is written without spaces (see
    sure.text.languages). Words for an empty reference are insertions. Raises SureError if all references are empty.
    """
    texts = _texts(references, hypotheses)
    characters = jiwer.process_characters(*([without_free_spaces(text) for text in side] for side in texts))
    scores = {**_word_scores("wer", "words", texts), **_scores("cer", "characters", characters)}
    return scores | {"sentence_error_rate": _wrong_percent(characters)}


def phone_error_rates(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
    """PER in percent with interval and counts; texts are phones separated by spaces. See `error_rates`."""
    return _word_scores("per", "phones", _texts(references, hypotheses))


def aligned_listing(references: Mapping[str, str], hypotheses: Mapping[str, str], frequent: int = 20) -> str:
    """Aligned reference and hypothesis of each utterance with errors in capitals, as in the output of NIST's sclite.

    Then totals, and the `frequent` most frequent errors of each kind. Texts as for `error_rates`.
    """
    utterances = aligned_pairs(references, hypotheses)
    blocks = [_aligned(id, pairs) for id, pairs in zip(references, utterances, strict=True)]
    return "\n".join([*blocks, _totals(utterances), *_confusions(utterances, frequent)])


def aligned_pairs(
    references: Mapping[str, str], hypotheses: Mapping[str, str], characters: bool = False
) -> list[list[Pair]]:
    """Aligned words of each utterance, or its aligned characters. Texts as for `error_rates`."""
    process = jiwer.process_characters if characters else jiwer.process_words
    output = process(*_texts(references, hypotheses))
    aligned = zip(output.references, output.hypotheses, output.alignments, strict=True)
    return [_pairs(*utterance) for utterance in aligned]


def _texts(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> Texts:
    return tuple([" ".join(side[id].split()) for id in references] for side in (references, hypotheses))


def _word_scores(rate: str, units: str, texts: Texts) -> dict[str, Any]:
    output = jiwer.process_words(*texts)
    return {**_scores(rate, units, output), "sentence_error_rate": _wrong_percent(output)}


def _wrong_percent(output: jiwer.WordOutput | jiwer.CharacterOutput) -> float:
    wrong = sum(pair[0] != pair[1] for pair in zip(output.references, output.hypotheses, strict=True))
    return 100.0 * wrong / len(output.references)


def _scores(rate: str, units: str, output: jiwer.WordOutput | jiwer.CharacterOutput) -> dict[str, Any]:
    sizes = [len(reference) for reference in output.references]
    if not sum(sizes):
        raise SureError("all references are empty, so the error rate is not defined; check the file `text` of the set")
    errors = [count_errors(chunks) for chunks in output.alignments]
    counts = {
        "reference": sum(sizes),
        "correct": output.hits,
        "substitutions": output.substitutions,
        "deletions": output.deletions,
        "insertions": output.insertions,
    }
    return {rate: 100.0 * sum(errors) / sum(sizes), f"{rate}_interval": ratio_interval(errors, sizes), units: counts}


def count_errors(chunks: list[jiwer.AlignmentChunk]) -> int:
    """Substitutions, deletions and insertions of one utterance."""
    wrong = (chunk for chunk in chunks if chunk.type != "equal")
    return sum(max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx) for c in wrong)


def _pairs(reference: list[str], hypothesis: list[str], chunks: list[jiwer.AlignmentChunk]) -> list[Pair]:
    return [
        (*words, MARKS[c.type])
        for c in chunks
        for words in itertools.zip_longest(
            reference[c.ref_start_idx : c.ref_end_idx], hypothesis[c.hyp_start_idx : c.hyp_end_idx], fillvalue=""
        )
    ]


def _aligned(id: str, pairs: list[Pair]) -> str:
    columns = []
    for *words, mark in pairs:
        width = max(map(len, words))
        columns.append([*((word.upper() or "*" * width for word in words) if mark else words), mark])
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

    counts = ", ".join(f"{name} {share(marks[mark], words)}" for name, mark in [("correct", ""), *ERRORS])
    errors = share(marks["S"] + marks["D"] + marks["I"], words)
    return (
        f"totals\n{counted(len(utterances), 'utterance')}, with errors {share(wrong, len(utterances))}\n"
        f"{words:,} words: {counts}; errors {errors}\n"
    )


def _confusions(utterances: list[list[Pair]], frequent: int) -> Iterator[str]:
    """The most frequent errors of each kind; equally frequent ones in alphabetical order."""
    for name, mark in ERRORS:
        errors = Counter(tuple(words) for pairs in utterances for *words, kind in pairs if kind == mark)
        shown = sorted(errors.items(), key=lambda error: (-error[1], error[0]))[:frequent]
        lines = [f"{count:6,}  {' -> '.join(filter(None, words))}\n" for words, count in shown]
        yield f"{name}: {len(lines):,} of {len(errors):,} different errors, most frequent first\n{''.join(lines)}"
