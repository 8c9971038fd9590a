"""Scores of slot filling as SUPERB has them (2105.01051; s3prl, `s3prl/metric/slot_filling.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jiwer
import numpy as np

from sure.errors import SureError
from sure.score.bootstrap import ratio_interval

Slots = Sequence[tuple[str, str]]  # (type, value) of each slot of an utterance


def slot_scores(references: Mapping[str, Slots], hypotheses: Mapping[str, Slots]) -> dict[str, Any]:
    """Slot-type F1 and slot-value CER in percent with intervals; slots by utterance id, both with the same ids.

    slot_type_f1: mean over utterances of the F1 of the set of types that the utterance has, however often; 1 where
    neither side has any slot.
    slot_value_cer: every value of a reference against that value of the same type and utterance which has the
    lowest CER, or against nothing where there is none; all errors / all characters of the references' values. One
    hypothesis may serve several references, and a slot too many costs nothing here: the type F1 counts those.
    Raises SureError when no reference has a slot: then there is no CER.
    """
    f1 = [_type_f1(references[id], hypotheses[id]) for id in references]
    places, values, heard = [], [], []
    for place, id in enumerate(references):
        for kind, value in references[id]:
            places.append(place)
            values.append(value)
            heard.append(_closest(value, [found for other, found in hypotheses[id] if other == kind]))
    if not values:
        raise SureError("no reference has a slot (B-type words E-type); check the set's text file")
    output = jiwer.process_characters(values, heard)
    errors, sizes = np.zeros(len(f1)), np.zeros(len(f1))
    np.add.at(sizes, places, [len(value) for value in values])
    np.add.at(errors, places, [_errors(chunks) for chunks in output.alignments])
    return {
        "slot_type_f1": 100.0 * float(np.mean(f1)),
        "slot_type_f1_interval": ratio_interval(f1, np.ones(len(f1))),
        "slot_value_cer": 100.0 * float(errors.sum() / sizes.sum()),
        "slot_value_cer_interval": ratio_interval(errors, sizes),
        "slots": {"reference": len(values), "hypothesis": sum(len(hypotheses[id]) for id in references)},
    }


def _type_f1(wanted: Slots, found: Slots) -> float:
    wanted_types, found_types = ({kind for kind, _ in side} for side in (wanted, found))
    total = len(wanted_types) + len(found_types)
    return 2 * len(wanted_types & found_types) / total if total else 1.0


def _closest(value: str, candidates: list[str]) -> str:
    """The candidate of the lowest CER, of equal ones the first; nothing where there is none."""
    return min(candidates, key=lambda candidate: jiwer.cer(value, candidate), default="")


def _errors(chunks: list[jiwer.AlignmentChunk]) -> int:
    wrong = (chunk for chunk in chunks if chunk.type != "equal")
    return sum(max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx) for c in wrong)
