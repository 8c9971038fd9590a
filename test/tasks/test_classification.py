"""Classification: labels, loss, decoding and scores, for one output group and for several, against scikit-learn."""

import json
from unittest.mock import patch

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score, recall_score

from sure import registry
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.frames import Frames
from sure.score import bootstrap
from sure.score.classification import classification_listing, classification_scores
from sure.text.labels import Labels

SINGLE = [Utterance(f"s{i}", "", labels={"label": label}) for i, label in enumerate("ru es es en es ru".split())]
ACTIONS, OBJECTS = ["on", "off", "on"], ["lights", "music", "heat"]
SLOTS = [Utterance(id, "", labels={"object": o, "action": a}) for id, a, o in zip("abc", ACTIONS, OBJECTS, strict=True)]
NAMES = ["a", "b", "c", ""]  # the last is never a reference; it stands for a missing hypothesis


def make(tmp_path, utterances, **config):
    task = registry.find("tasks", "intent")
    task.fit(utterances, tmp_path, tokenizer=None, language="en")
    return task(task.Config(**config), tmp_path, "en")


@pytest.mark.parametrize(("utterances", "targets", "references"), [
    (SINGLE, [[2], [1], [1], [0], [1], [2]], ["ru", "es", "es", "en", "es", "ru"]),
    (SLOTS, [[1, 1], [0, 2], [1, 0]], ["action=on object=lights", "action=off object=music", "action=on object=heat"]),
])  # fmt: skip
def test_targets_and_decoding(tmp_path, utterances, targets, references):
    task = make(tmp_path, utterances)
    assert [task.target(one).tolist() for one in utterances] == targets
    assert [task.reference(one) for one in utterances] == references
    groups = zip(torch.tensor(targets).T, task.sizes, strict=True)
    logits = torch.cat([F.one_hot(indices, size) for indices, size in groups], 1).float()
    assert task.decode(logits, Frames([1] * len(logits))) == references


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_is_the_sum_over_groups(tmp_path, smoothing):
    task = make(tmp_path, SLOTS, label_smoothing=smoothing)
    torch.manual_seed(0)
    outputs = torch.randn(3, 5)
    targets = torch.stack([task.target(one) for one in SLOTS])
    expected = torch.zeros(3)
    for group, target in zip(outputs.split([2, 3], 1), targets.T, strict=True):
        size = group.shape[1]
        wanted = (1 - smoothing) * F.one_hot(target, size) + smoothing / size
        expected -= (wanted * group.log_softmax(1)).sum(1)
    torch.testing.assert_close(task.loss(outputs, Frames([1] * 3), targets), expected)
    assert task.loss(outputs.bfloat16(), Frames([1] * 3), targets).dtype == torch.float32


def test_balanced_weights_make_every_label_weigh_the_same(tmp_path):
    task = make(tmp_path, SINGLE, class_weights="balanced")
    targets = [task.target(one) for one in SINGLE]
    losses = task.loss(torch.zeros(6, 3), Frames([1] * 6), targets) / np.log(3)  # 1 each without weights
    assert [losses[torch.cat(targets) == label].sum().item() for label in range(3)] == pytest.approx([2] * 3)
    (tmp_path / "label_counts.json").write_text(json.dumps({"label": {"en": 1}}))
    with pytest.raises(SureError, match="label_counts.json.*tokenize"):
        type(task)(task.config, tmp_path, "en")


@pytest.mark.parametrize(("utterances", "labels", "message"), [
    (SINGLE, {"label": "eng"}, r"dev-7.*'eng'.*did you mean 'en'.*en es ru"),
    *[(SLOTS, labels, "dev-7.*action object.*utt2label") for labels in ({}, {"label": "on"}, {"action": "on"})],
])  # fmt: skip
def test_invalid_labels_name_the_utterance(tmp_path, utterances, labels, message):
    task = make(tmp_path, utterances)
    for method in (task.target, task.reference) if utterances is SLOTS else (task.target,):
        with pytest.raises(SureError, match=message):
            method(Utterance("dev-7", "", labels=labels))


@pytest.mark.parametrize("labels", [[], [{}], [{"a": "x"}, {"b": "x"}], [{"a": "x"}, {}]])
def test_missing_labels_are_errors(tmp_path, labels):
    with pytest.raises(SureError, match="utt2label"):
        make(tmp_path, [Utterance("x", "", labels=one) for one in labels])


@pytest.mark.parametrize(
    "content", [None, b"", b"[]", b"{}", b'{"a": []}', b'{"a": ["x", "x"]}', b'{"a": "x"}', b'{"a": [["x"]]}', b"\xff"]
)
def test_a_damaged_file_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "labels.json").write_bytes(content)
    with pytest.raises(SureError, match="labels.json"):
        Labels.load(tmp_path)


def test_scores_of_several_groups(tmp_path):
    """An utterance is correct if all its labels are; F1 is the mean over groups."""
    task = make(tmp_path, SLOTS)
    references = {one.id: task.reference(one) for one in SLOTS}
    hypotheses = {**references, "b": "action=off object=heat", "c": ""}
    scores, found = task.score(references, hypotheses), {"action": ["on", "off", ""], "object": ["lights", "heat", ""]}
    rates = [scores["accuracy"], *(scores["groups"][name]["accuracy"] for name in found)]
    assert rates == pytest.approx([100 / 3, 200 / 3, 100 / 3])
    pairs = (ACTIONS, found["action"]), (OBJECTS, found["object"])
    assert scores["macro_f1"] == pytest.approx(100 * np.mean([f1_score(*pair, average="macro") for pair in pairs]))
    listing = task.listing(references, hypotheses)
    assert "b music heat\n" in listing and "c on -\n" in listing and "\na " not in listing
    with pytest.raises(SureError, match="utt-9.*action object.*'action=on'"):
        task.score({"utt-9": "action=on"}, {"utt-9": "action=on object=heat"})


@patch.object(bootstrap, "DRAWS", 20)
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES[:3]), st.sampled_from(NAMES)), min_size=1, max_size=30))
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_scores_of_one_group(pairs):
    wanted, found = map(list, zip(*pairs, strict=True))
    scores = classification_scores({"label": wanted}, {"label": found})
    assert scores["accuracy"] == pytest.approx(100 * accuracy_score(wanted, found))
    for average in ("macro", "weighted"):
        assert scores[f"{average}_f1"] == pytest.approx(100 * f1_score(wanted, found, average=average, zero_division=0))
    assert scores["unweighted_average_recall"] == pytest.approx(100 * balanced_accuracy_score(wanted, found))
    table = scores["groups"]["label"]["confusion"]
    dense = [[table.get(w, {}).get(f, 0) for f in NAMES] for w in NAMES]
    assert dense == confusion_matrix(wanted, found, labels=NAMES).tolist()
    assert scores["accuracy_interval"] == bootstrap.ratio_interval([w == f for w, f in pairs], [1] * len(pairs))


@patch.object(bootstrap, "DRAWS", 100)
def test_intervals_equal_scikit_learn_on_the_same_draws():
    generator, same = np.random.default_rng(1), np.random.default_rng(0)
    wanted = generator.choice(NAMES[:3], 60, p=[0.7, 0.25, 0.05])
    found = np.where(generator.random(60) < 0.7, wanted, generator.choice(NAMES, 60))
    values = {"macro_f1": [], "weighted_f1": [], "unweighted_average_recall": []}
    for draw in (same.integers(60, size=60) for _ in range(100)):
        labels = wanted[draw], found[draw]
        for average in ("macro", "weighted"):
            values[f"{average}_f1"].append(f1_score(*labels, average=average, zero_division=0))
        recall = recall_score(*labels, labels=np.unique(labels[0]), average="macro", zero_division=0)
        values["unweighted_average_recall"].append(recall)
    scores = classification_scores({"label": wanted.tolist()}, {"label": found.tolist()}, "weighted_f1")
    for name, of_draws in values.items():
        assert scores[f"{name}_interval"] == pytest.approx(100 * np.percentile(of_draws, [2.5, 97.5]))
    with pytest.raises(SureError, match="no utterances"):
        classification_scores({"label": []}, {"label": []})


def test_listing_has_the_table_or_the_confusions_and_the_wrong_utterances():
    listing = classification_listing(["u1", "u2", "u3"], {"label": ["es", "ru", "ru"]}, {"label": ["es", "es", ""]})
    assert "   - es ru\nes 0  1  0\nru 1  1  0\n" in listing
    assert listing.endswith("wrong: 2 of 3 (id reference hypothesis)\nu2 ru es\nu3 ru -\n")
    wanted = [f"speaker{i:03d}" for i in range(50)] + ["speaker007"] * 2
    found = ["speaker003" if name == "speaker007" else name for name in wanted]
    found[10] = "speaker011"
    _, confusions = classification_listing(map(str, range(52)), {"label": wanted}, {"label": found}).split("confusions")
    assert confusions.splitlines()[1:3] == ["3 speaker007 speaker003", "1 speaker010 speaker011"]
