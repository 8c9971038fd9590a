"""Error rates after the text normalisation of Whisper, with which most published word error rates are computed."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from sure.errors import SureError
from sure.score.error_rate import error_rates
from sure.text.languages import language_code


def whisper_error_rates(references: Mapping[str, str], hypotheses: Mapping[str, str], language: str) -> dict[str, Any]:
    """`wer_whisper` and `cer_whisper` with their intervals; empty if the package whisper_normalizer is missing.

    English texts have Whisper's English form (digits, American spelling, no contractions, no hesitations), others are
    lower-cased without symbols. The texts are those of `error_rates`, after SURE's own normalisation. Empty as well if
    nothing is left of all references.
    """
    normalise = _normaliser(language_code(language) == "en")
    if normalise is None:
        return {}
    sides = [{id: normalise(text) for id, text in side.items()} for side in (references, hypotheses)]
    try:
        scores = error_rates(*sides)
    except SureError:
        return {}
    return {f"{name}_whisper{end}": scores[f"{name}{end}"] for name in ("wer", "cer") for end in ("", "_interval")}


@cache
def _normaliser(english: bool) -> Callable[[str], str] | None:
    try:
        if english:
            from whisper_normalizer.english import EnglishTextNormalizer

            return EnglishTextNormalizer()
        from whisper_normalizer.basic import BasicTextNormalizer

        return BasicTextNormalizer()
    except ImportError:
        return None
