"""Speech recognition by a recogniser's own decoder: normalised text, scored by word error rate."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from sure.data.data_dir import Utterance
from sure.score.error_rate import error_rates
from sure.score.whisper_rates import whisper_error_rates
from sure.tasks.sequence import LossConfig, SequenceTask
from sure.text.languages import check_language, has_spaces, language_code
from sure.text.normalize import normalize, without_accents


class TranscriptionConfig(LossConfig):
    accents: bool | list[str] = Field(
        True,
        description="false: texts in text.language are learned and scored without accents, for corpora written "
        "without them; for text.language=all, the languages with accents, such as [fr, it]",
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
        if isinstance(self.accents, list):
            self.accents = {language_code(check_language(one)) for one in self.accents}
        if not has_spaces(language):
            self.score_name = "cer"

    def text(self, tokens: Sequence[int], language: str | None = None) -> str:
        return self._spelled(super().text(tokens, language), language)

    def reference(self, utterance: Utterance) -> str:
        return self._spelled(super().reference(utterance), utterance.language)

    def _spelled(self, text: str, language: str | None) -> str:
        """The text with or without accents. language: of the utterance; by default the task's."""
        own, code = language_code(self.language), language_code(language or self.language)
        accents = code in self.accents if isinstance(self.accents, set) else self.accents or code != own
        return text if accents else without_accents(text)

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        rates = error_rates(references, hypotheses)
        return rates | whisper_error_rates(references, hypotheses, self.language)
