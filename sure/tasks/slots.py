"""Slot filling: words with marked slots by CTC, scored as in SUPERB."""

from collections.abc import Mapping
from typing import Any

from sure.score.slots import slot_scores
from sure.tasks.ctc import CtcTask
from sure.text.slots import normalize_marked, slots_of


class Task(CtcTask):
    """Normalised text with `B-type` before and `E-type` after the words of a slot; tokens are characters and marks."""

    score_name = "slot_type_f1"
    higher_is_better = True
    tokenizer_kinds = ("slot",)
    normalize = staticmethod(normalize_marked)

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        return slot_scores(*({id: slots_of(line) for id, line in side.items()} for side in (references, hypotheses)))
