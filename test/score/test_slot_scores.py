"""Slot filling scores compared with scikit-learn, torchaudio's edit distance, and cases by hand."""

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer
from torchaudio.functional import edit_distance

from sure.errors import SureError
from sure.score import bootstrap
from sure.score.bootstrap import ratio_interval
from sure.score.slots import slot_scores

TYPES = ["artist", "track", "city"]


def values_cer(references, hypotheses):
    """Errors of each reference value against its best match, or its length without a match, over all characters."""
    errors = size = 0
    for wanted, found in zip(references, hypotheses, strict=True):
        for kind, value in wanted:
            same = [edit_distance(value, match) for other, match in found if other == kind]
            errors += min(same) if same else len(value)
            size += len(value)
    return 100 * errors / size


def score(references, hypotheses):
    return slot_scores(*({f"u{index}": slots for index, slots in enumerate(side)} for side in (references, hypotheses)))


slots = st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from(["a", "ab", "ba b", "cab ab"])), max_size=4)
pairs = st.lists(st.tuples(slots, slots), min_size=1, max_size=5).filter(lambda given: any(r for r, _ in given))


@patch.object(bootstrap, "DRAWS", 20)
@settings(max_examples=100, deadline=None)
@given(pairs)
def test_scores_of_any_slots(given):
    references, hypotheses = map(list, zip(*given, strict=True))
    scores = score(references, hypotheses)
    binary = MultiLabelBinarizer(classes=TYPES)
    wanted, found = (
        binary.fit_transform([{kind for kind, _ in one} for one in side]) for side in (references, hypotheses)
    )
    assert scores["slot_type_f1"] == pytest.approx(100 * f1_score(wanted, found, average="samples", zero_division=1))
    assert scores["slot_value_cer"] == pytest.approx(values_cer(references, hypotheses))
    assert scores["slots"] == {"reference": sum(map(len, references)), "hypothesis": sum(map(len, hypotheses))}
    for name in ("slot_type_f1", "slot_value_cer"):
        low, high = scores[f"{name}_interval"]
        assert 0 <= low <= high


def test_errors_belong_to_their_utterance():
    """Each draw consists of whole utterances."""
    scores = score([[("a", "one"), ("b", "x")], [], [("a", "one")]] * 6, [[("a", "ono")], [], [("a", "one")]] * 6)
    assert scores["slot_value_cer_interval"] == ratio_interval([2, 0, 0] * 6, [4, 0, 3] * 6)
    assert scores["slot_type_f1_interval"] == ratio_interval([2 / 3, 1, 1] * 6, [1] * 18)


def test_no_slot_in_any_reference():
    with pytest.raises(SureError, match="no reference has a slot"):
        score([[]], [[("a", "one")]])
