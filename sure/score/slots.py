"""Slot filling scores of SUPERB (arXiv 2105.01051; `s3prl/metric/slot_filling.py`): slot-type F1 and slot-value CER."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jiwer
import numpy as np

from sure.errors import SureError
from sure.score.bootstrap import ratio_interval
from sure.score.error_rate import count_errors
from sure.text.languages import without_free_spaces

Slots = Sequence[tuple[str, str]]  # (type, value) of each slot of an utterance


def slot_scores(references: Mapping[str, Slots], hypotheses: Mapping[str, Slots]) -> dict[str, Any]:
    """Slot-type F1 and slot-value CER in percent with intervals; slots by utterance id, the same ids on both sides.

    slot_type_f1: mean over utterances of the F1 of the sets of slot types; 1 if both sets are empty.
    slot_value_cer: errors / characters of the reference values. Each reference value is compared with the closest
    hypothesis value of the same type and utterance, or with an empty value. A hypothesis value can be used several
    times; superfluous slots only lower the type F1. Raises SureError if no reference has a slot.
    """
    f1 = [_type_f1(references[id], hypotheses[id]) for id in references]
    places, values, closest = [], [], []
    for place, id in enumerate(references):
        for kind, value in references[id]:
            candidates = [without_free_spaces(found) for other, found in hypotheses[id] if other == kind]
            places.append(place)
            values.append(without_free_spaces(value))
            closest.append(min(candidates, key=partial(jiwer.cer, values[-1]), default=""))
    if not values:
        raise SureError("no reference has a slot (B-type words E-type); check the file `text` of the set")
    output = jiwer.process_characters(values, closest)
    errors, sizes = np.zeros(len(f1)), np.zeros(len(f1))
    np.add.at(sizes, places, [len(value) for value in values])
    np.add.at(errors, places, [count_errors(chunks) for chunks in output.alignments])
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
