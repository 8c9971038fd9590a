"""Speech translation into English by a recogniser's own decoder, scored by BLEU and chrF."""

from collections.abc import Mapping
from typing import Any

from sure.score.translation import translation_scores
from sure.tasks.sequence import SequenceTask


def with_single_spaces(text: str, language: str) -> str:
    """The text as it is written: case and punctuation count. language: of the speech."""
    return " ".join(text.split())


class Task(SequenceTask):
    """`text` of the data folders is English; `text.language` is the language of the speech."""

    score_name = "bleu"
    higher_is_better = True
    mode = "translate"
    normalize = staticmethod(with_single_spaces)

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        return translation_scores(references, hypotheses)
