"""Phone recognition by CTC, scored by phone error rate."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.score.error_rate import phone_error_rates
from sure.tasks.base import HeadConfig
from sure.tasks.ctc import CtcTask
from sure.tasks.transcript import transcript
from sure.text.lexicon import FILE, LEXICON, Pronunciation
from sure.text.lexicon_files import read_lexicon
from sure.text.phones import Fold, fold
from sure.text.tokenizer import train_tokenizer


class Task(CtcTask):
    """The phones in `text`, or those of its words in the lexicon (`tokenizer.lexicon`), folded by `tokenizer.fold`.

    Stage 3 reads the lexicon and keeps it. The output of a grapheme-to-phoneme program is one more lexicon file.
    """

    class Config(HeadConfig):
        score_fold: Fold | None = Field(
            None, description="folding of phones before scoring; timit_39 is usual for models of 61 or 48 phones"
        )

    score_name = "per"
    higher_is_better = False
    tokenizer_kinds = ("phone",)

    @classmethod
    def check(cls, utterances: Iterable[Utterance], *, tokenizer: Any, language: str) -> None:
        utterances, pronunciation = list(utterances), _pronunciation(tokenizer, language)
        if missing := pronunciation.missing((one.text or "" for one in utterances), language):
            raise SureError(
                f"{len(missing)} words are not in the lexicon ({', '.join(tokenizer.lexicon)}): {' '.join(missing)}; "
                "add lines `word phone phone ...` for them, or one more file with such lines to tokenizer.lexicon"
            )
        for utterance in utterances:
            transcript(utterance, pronunciation.phones, language)

    @classmethod
    def fit(cls, utterances: Sequence[Utterance], folder: Path, *, tokenizer: Any, language: str) -> None:
        pronunciation = _pronunciation(tokenizer, language)
        transcripts = [transcript(utterance, pronunciation.phones, language) for utterance in utterances]
        train_tokenizer(transcripts, "phone", None, folder)
        pronunciation.save(folder)

    def __init__(self, config: Config, folder: Path, language: str):
        super().__init__(config, folder, language)
        self.pronunciation = Pronunciation.load(folder)
        self.normalize = self.pronunciation.phones

    def files(self) -> list[str]:
        return [*super().files(), FILE]

    def target_files(self) -> list[str]:
        return [LEXICON] if self.pronunciation.lexicon else []

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        return phone_error_rates(self._folded(references), self._folded(hypotheses))

    def listing(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> str:
        return super().listing(self._folded(references), self._folded(hypotheses))

    def _folded(self, lines: Mapping[str, str]) -> dict[str, str]:
        try:
            return {id: fold(phones, self.config.score_fold) for id, phones in lines.items()}
        except SureError as error:
            raise SureError(f"head.score_fold: {error}") from None


def _pronunciation(tokenizer: Any, language: str) -> Pronunciation:
    return Pronunciation(read_lexicon(tokenizer.lexicon, language) if tokenizer.lexicon else None, tokenizer.fold)
