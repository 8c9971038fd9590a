"""Classification scores compared with scikit-learn and with counts by hand."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score, recall_score

from sure.errors import SureError
from sure.score import bootstrap
from sure.score.classification import classification_listing, classification_scores

NAMES = ["a", "b", "c", ""]  # the last is never a reference; it stands for a missing hypothesis
UAR = "unweighted_average_recall"


def f1_by_hand(wanted, found, label):
    hits = sum(w == f == label for w, f in zip(wanted, found, strict=True))
    wrong = (wanted.count(label) - hits) + (found.count(label) - hits)
    return 2 * hits / (2 * hits + wrong)


@patch.object(bootstrap, "DRAWS", 20)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES[:3]), st.sampled_from(NAMES)), min_size=1, max_size=30))
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_one_group(pairs):
    wanted, found = map(list, zip(*pairs, strict=True))
    scores = classification_scores({"label": wanted}, {"label": found})
    assert scores["accuracy"] == pytest.approx(100 * accuracy_score(wanted, found))
    by_hand = {label: f1_by_hand(wanted, found, label) for label in {*wanted, *found}}
    assert scores["macro_f1"] == pytest.approx(100 * np.mean(list(by_hand.values())))
    weighted = sum(f1 * wanted.count(label) for label, f1 in by_hand.items()) / len(wanted)
    assert scores["weighted_f1"] == pytest.approx(100 * weighted)
    assert scores[UAR] == pytest.approx(100 * balanced_accuracy_score(wanted, found))
    table = scores["groups"]["label"]["confusion"]
    dense = [[table.get(w, {}).get(f, 0) for f in NAMES] for w in NAMES]
    assert dense == confusion_matrix(wanted, found, labels=NAMES).tolist()
    correct = [w == f for w, f in pairs]
    assert scores["accuracy_interval"] == bootstrap.ratio_interval(correct, [1] * len(pairs))


def recall_of_references(wanted, found):
    return recall_score(wanted, found, labels=np.unique(wanted), average="macro", zero_division=0)


@pytest.mark.parametrize(
    ("score", "oracle"),
    [("macro_f1", lambda *labels: f1_score(*labels, average="macro", zero_division=0)), (UAR, recall_of_references)],
)
def test_interval_equals_scikit_learn_on_the_same_draws(score, oracle):
    generator = np.random.default_rng(1)
    wanted = generator.choice(NAMES[:3], 60, p=[0.7, 0.25, 0.05])
    found = np.where(generator.random(60) < 0.7, wanted, generator.choice(NAMES, 60))
    draws = np.random.default_rng(0)
    values = [100 * oracle(wanted[draw], found[draw]) for draw in (draws.integers(60, size=60) for _ in range(1000))]
    scores = classification_scores({"label": wanted.tolist()}, {"label": found.tolist()})
    assert scores[f"{score}_interval"] == pytest.approx(np.percentile(values, [2.5, 97.5]).tolist())


def test_accuracy_of_several_groups_needs_all_labels_correct():
    wanted = {"action": ["on", "on", "off", "off"], "object": ["x", "y", "x", "y"]}
    found = {"action": ["on", "off", "off", "off"], "object": ["x", "y", "y", "y"]}
    scores = classification_scores(wanted, found)
    assert scores["accuracy"] == 50
    assert [scores["groups"][group]["accuracy"] for group in ("action", "object")] == [75, 75]
    both = [100 * f1_score(wanted[group], found[group], average="macro") for group in wanted]
    assert scores["macro_f1"] == pytest.approx(sum(both) / 2)


def test_no_utterances_are_an_error():
    with pytest.raises(SureError, match="no utterances"):
        classification_scores({"label": []}, {"label": []})


def test_listing_has_the_table_and_the_wrong_utterances():
    listing = classification_listing(["u1", "u2", "u3"], {"label": ["es", "ru", "ru"]}, {"label": ["es", "es", ""]})
    assert "   - es ru\nes 0  1  0\nru 1  1  0\n" in listing
    assert listing.endswith("wrong: 2 of 3 (id reference hypothesis)\nu2 ru es\nu3 ru -\n")


def test_listing_of_many_labels_starts_with_the_most_frequent_confusion():
    wanted = [f"speaker{i:03d}" for i in range(50)] + ["speaker007"] * 2
    found = ["speaker003" if name == "speaker007" else name for name in wanted]
    found[10] = "speaker011"
    listing = classification_listing([f"u{i}" for i in range(52)], {"label": wanted}, {"label": found})
    first = listing.index("confusions")
    assert listing[first:].splitlines()[1:3] == ["3 speaker007 speaker003", "1 speaker010 speaker011"]
