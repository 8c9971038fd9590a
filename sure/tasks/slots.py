"""Slot filling: words with marked slots by CTC, scored as in SUPERB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.score.error_rate import aligned_listing
from sure.score.slots import slot_scores
from sure.tasks.ctc import CtcTask, written
from sure.text.slots import normalize_marked, slots_of


class Task(CtcTask):
    """Normalised text with `B-type` before and `E-type` after the words of a slot; tokens are characters and marks."""

    score_name = "slot_type_f1"
    higher_is_better = True
    tokenizer_kinds = ("slot",)

    @classmethod
    def transcript(cls, utterance: Utterance, language: str) -> str:
        text = written(utterance)
        try:
            return normalize_marked(text, language)
        except SureError as error:
            raise SureError(f"{utterance.id}: {error}") from None

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        parsed = ({id: slots_of(line) for id, line in side.items()} for side in (references, hypotheses))
        return slot_scores(*parsed)

    def listing(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> str:
        return aligned_listing(references, hypotheses)
