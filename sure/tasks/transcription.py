"""Speech recognition by a recogniser's own decoder: normalised text, scored by word error rate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sure.score.error_rate import error_rates
from sure.score.whisper_rates import whisper_error_rates
from sure.tasks.sequence import LossConfig, SequenceTask
from sure.text.languages import has_spaces
from sure.text.normalize import normalize


class Task(SequenceTask):
    """Words of one language, normalised as for the task asr."""

    score_name = "wer"  # cer for languages written without spaces
    higher_is_better = False
    mode = "transcribe"
    normalize = staticmethod(normalize)

    def __init__(self, config: LossConfig, folder: Path, language: str):
        super().__init__(config, folder, language)
        if not has_spaces(language):
            self.score_name = "cer"

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        rates = error_rates(references, hypotheses)
        return rates | whisper_error_rates(references, hypotheses, self.language)
