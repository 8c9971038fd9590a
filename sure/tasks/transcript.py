"""Base of the tasks that recognise the transcript of an utterance, by CTC or by a decoder."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.score.error_rate import aligned_listing
from sure.tasks.base import SpeechTask


class TranscriptTask(SpeechTask):
    """A task defines `normalize`, and in its constructor `language`."""

    normalize: Callable[[str, str], str]  # transcript and language -> text to recognise; raises SureError
    language: str

    @classmethod
    def check(cls, utterances: Iterable[Utterance], *, tokenizer: Any, language: str) -> None:
        for utterance in utterances:
            transcript(utterance, cls.normalize, language)

    def reference(self, utterance: Utterance) -> str:
        return transcript(utterance, self.normalize, self.language)

    def merge(self, lines: Sequence[str], seconds: Sequence[float]) -> str:
        """All words, in order."""
        return " ".join(filter(None, lines))

    def listing(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> str:
        return aligned_listing(references, hypotheses)


def transcript(utterance: Utterance, normalize: Callable[[str, str], str], language: str) -> str:
    """The transcript, normalised in the utterance's own language (`utt2lang`) or in `language`.

    Raises SureError with the name of an utterance without a valid one.
    """
    if utterance.text is None:
        raise SureError(f"{utterance.id}: no transcript; the data folder needs a text file (stage 2, prepare)")
    try:
        return normalize(utterance.text, utterance.language or language)
    except SureError as error:
        raise SureError(f"{utterance.id}: {error}") from None
