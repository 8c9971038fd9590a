"""Speech recognition: normalised text by CTC, scored by word error rate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sure.score.error_rate import error_rates
from sure.tasks.base import HeadConfig
from sure.tasks.ctc import CtcTask
from sure.text.languages import has_spaces
from sure.text.normalize import normalize


class Task(CtcTask):
    """Normalised words of one language; with `text.language: all`, stage 2 normalises each text by its own language."""

    score_name = "wer"  # cer for languages written without spaces
    higher_is_better = False
    normalize = staticmethod(normalize)

    def __init__(self, config: HeadConfig, folder: Path, language: str):
        super().__init__(config, folder, language)
        if not has_spaces(language):
            self.score_name = "cer"

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        return error_rates(references, hypotheses)
