"""Word, character and phone error rates (jiwer), and a listing of the errors with both lines aligned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jiwer

from sure.errors import SureError
from sure.score.bootstrap import ratio_interval

KINDS = ("substitute", "delete", "insert")


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

    Behind them the errors that occur most often. Both mappings are by utterance id, with the same ids.
    """
    output = jiwer.process_words(*_texts(references, hypotheses))
    aligned = zip(references, output.references, output.hypotheses, output.alignments, strict=True)
    blocks = [_aligned(*utterance) for utterance in aligned]
    errors = jiwer.visualize_error_counts(output, top_k=frequent)
    return "\n".join([*blocks, f"most frequent errors, up to {frequent} of a kind\n\n{errors}\n"])


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


def _aligned(id: str, reference: list[str], hypothesis: list[str], chunks: list[jiwer.AlignmentChunk]) -> str:
    columns = []
    for chunk in chunks:
        said = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
        mark = "" if chunk.type == "equal" else chunk.type[0].upper()
        for place in range(max(len(said), len(heard))):
            pair = [side[place] if place < len(side) else "" for side in (said, heard)]
            width = max(len(word) for word in pair)
            if mark:
                pair = [word.upper() if word else "*" * width for word in pair]
            columns.append([*pair, mark])
    widths = [max(map(len, column)) for column in columns]
    rows = [
        " ".join(column[row].ljust(width) for column, width in zip(columns, widths, strict=True)).rstrip()
        for row in range(3)
    ]
    substituted, deleted, inserted = _errors(chunks)
    correct = len(reference) - substituted - deleted
    scores = f"correct {correct}, substituted {substituted}, deleted {deleted}, inserted {inserted}"
    return f"{id}\n{scores}\nREF: {rows[0]}\nHYP: {rows[1]}\n     {rows[2]}\n"
