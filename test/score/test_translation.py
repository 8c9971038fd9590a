"""BLEU and chrF: known values, intervals, signatures."""

import pytest

from sure.errors import SureError
from sure.score.translation import translation_scores

REFERENCES = {"a": "Please enter your agent number.", "b": "Press one to hear it again."}


def test_scores_intervals_and_signatures():
    same = translation_scores(REFERENCES, REFERENCES)
    assert [same["bleu"], same["chrf"], *same["bleu_interval"]] == pytest.approx([100, 100, 100, 100])
    other = translation_scores(REFERENCES, {"a": "Please enter your agent number", "b": "Hear this."})
    low, high = other["bleu_interval"]
    assert 0 <= low < other["bleu"] < 60 and high > other["bleu"] and "tok:13a" in other["signatures"]["bleu"]
    assert other["signatures"]["chrf"].startswith("nrefs:1") and other["chrf"] < 100


def test_empty_references_are_an_error():
    with pytest.raises(SureError, match="BLEU is not defined"):
        translation_scores({"a": ""}, {"a": "text"})
