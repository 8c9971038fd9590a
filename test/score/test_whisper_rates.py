"""Error rates after Whisper's text normalisation; transformers' copy of it is the oracle."""

import json
import sys
from importlib.resources import files

import pytest
from transformers.models.whisper.english_normalizer import BasicTextNormalizer, EnglishTextNormalizer

from sure.score.error_rate import error_rates
from sure.score.whisper_rates import _normaliser, whisper_error_rates

TEXTS = [
    "Mr. O'Neil won't pay $20, um, for the grey colour!",
    "twenty two point five percent of one hundred and one",
    "it's the third of may nineteen ninety nine",
    "¿Qué tal, señor? Ça va très bien — ок, ёлка [laughs]",
]


@pytest.fixture
def package():
    return pytest.importorskip("whisper_normalizer")


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_normalised_as_in_transformers(package, text):
    spelling = json.loads((files(package) / "normalizers" / "english.json").read_text())
    assert _normaliser(True)(text) == EnglishTextNormalizer(spelling)(text)
    assert _normaliser(False)(text) == BasicTextNormalizer()(text)


def test_differences_of_form_are_no_errors(package):
    references, hypotheses = {"a": "we're at the centre", "b": "two words"}, {"a": "we are at the center", "b": "two"}
    scores = whisper_error_rates(references, hypotheses, "en-GB")
    assert scores["wer_whisper"] == pytest.approx(100 / 7)
    assert scores["wer_whisper"] < error_rates(references, hypotheses)["wer"]
    assert whisper_error_rates(references, hypotheses, "fr")["wer_whisper"] > scores["wer_whisper"]
    assert scores.keys() == {"wer_whisper", "wer_whisper_interval", "cer_whisper", "cer_whisper_interval"}
    assert whisper_error_rates({"a": "..."}, {"a": "x"}, "fr") == {}


def test_without_the_package_there_are_no_such_scores(monkeypatch):
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", None)
    _normaliser.cache_clear()
    assert whisper_error_rates({"a": "b"}, {"a": "b"}, "en") == {}
    _normaliser.cache_clear()
