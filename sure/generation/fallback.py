"""Temperature fallback (arXiv 2212.04356, section 4.5): doubtful texts are generated again by sampling."""

import zlib
from collections.abc import Callable

from sure.generation.hypothesis import Hypothesis
from sure.generation.settings import GenerationConfig
from sure.text.recognizer_tokens import RecognizerTokens

Search = Callable[[list[int], float], list[list[Hypothesis]]]


def with_fallback(
    search: Search, utterances: int, settings: GenerationConfig, tokens: RecognizerTokens
) -> list[list[Hypothesis]]:
    """The hypotheses of each utterance at the first temperature whose text is acceptable, or at the last one.

    search(rows, temperature): the hypotheses of these utterances, best first. The text of silence is empty.
    """
    found: list[list[Hypothesis]] = [[] for _ in range(utterances)]
    rows = list(range(utterances))
    for number, temperature in enumerate(settings.temperatures):
        for row, best in zip(rows, search(rows, temperature), strict=True):
            found[row] = best
        if number + 1 < len(settings.temperatures):
            rows = [row for row in rows if not _is_acceptable(found[row][0], settings, tokens)]
        if not rows:
            break
    return [[_without_text(best[0])] if _is_silence(best[0], settings) else best for best in found]


def compression_ratio(text: str) -> float:
    """Bytes of the text divided by its bytes after zlib; above about 2.4, the text repeats itself."""
    coded = text.encode()
    return len(coded) / len(zlib.compress(coded))


def _is_acceptable(found: Hypothesis, settings: GenerationConfig, tokens: RecognizerTokens) -> bool:
    if _is_silence(found, settings):
        return True
    if found.log_probability < settings.log_probability:
        return False
    return compression_ratio(tokens.decode(found.tokens)) <= settings.compression_ratio


def _is_silence(found: Hypothesis, settings: GenerationConfig) -> bool:
    if settings.no_speech is None or found.no_speech is None:
        return False
    return found.no_speech > settings.no_speech and found.log_probability < settings.log_probability


def _without_text(found: Hypothesis) -> Hypothesis:
    return Hypothesis([], found.score, found.log_probability, found.no_speech, found.temperature)
