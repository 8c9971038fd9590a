"""Speech recognition by a recogniser's own decoder: normalised text, scored by word error rate."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from sure.data.data_dir import Utterance
from sure.score.error_rate import error_rates
from sure.score.whisper_rates import whisper_error_rates
from sure.tasks.sequence import LossConfig, SequenceTask
from sure.text.languages import has_spaces
from sure.text.normalize import normalize, without_accents


class TranscriptionConfig(LossConfig):
    accents: bool = Field(
        True, description="false: texts are learned and scored without accents, for corpora written without them"
    )


class Task(SequenceTask):
    """Words of one language, normalised as for the task asr."""

    Config = TranscriptionConfig
    score_name = "wer"  # cer for languages written without spaces
    higher_is_better = False
    mode = "transcribe"
    normalize = staticmethod(normalize)

    def __init__(self, config: TranscriptionConfig, folder: Path, language: str):
        super().__init__(config, folder, language)
        self.accents = config.accents
        if not has_spaces(language):
            self.score_name = "cer"

    def text(self, tokens: Sequence[int]) -> str:
        return self._spelled(super().text(tokens))

    def reference(self, utterance: Utterance) -> str:
        return self._spelled(super().reference(utterance))

    def _spelled(self, text: str) -> str:
        return text if self.accents else without_accents(text)

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        rates = error_rates(references, hypotheses)
        return rates | whisper_error_rates(references, hypotheses, self.language)
