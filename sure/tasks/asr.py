"""Speech recognition: normalised text by CTC, scored by word error rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.score.error_rate import aligned_listing, error_rates
from sure.tasks.ctc import CtcTask, written
from sure.text.normalize import normalize


class Task(CtcTask):
    """Normalised words of one language; with `text.language: all`, stage 2 normalises each text by its own language."""

    score_name = "wer"
    higher_is_better = False

    @classmethod
    def transcript(cls, utterance: Utterance, language: str) -> str:
        text = written(utterance)
        try:
            return normalize(text, language)
        except SureError as error:
            raise SureError(f"{utterance.id}: {error}") from None

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        return error_rates(references, hypotheses)

    def listing(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> str:
        return aligned_listing(references, hypotheses)
