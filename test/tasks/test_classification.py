"""Classification tasks: labels, loss, decoding and scores, for one output group and for several."""

import json

import pytest
import torch
import torch.nn.functional as F

from sure import registry
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.frames import Frames


def utterance(id, **labels):
    return Utterance(id, f"{id}.wav", seconds=1.0, labels=labels)


SINGLE = [utterance(f"s{i}", label=label) for i, label in enumerate(["ru", "es", "es", "en", "es", "ru"])]
ACTIONS, OBJECTS = ["on", "off", "on"], ["lights", "music", "heat"]
SLOTS = [utterance(id, object=o, action=a) for id, a, o in zip("abc", ACTIONS, OBJECTS, strict=True)]


def make(tmp_path, utterances, **config):
    task = registry.find("tasks", "intent")
    task.fit(utterances, tmp_path, tokenizer=None, language="en")
    return task(task.Config(**config), tmp_path, "en")


@pytest.mark.parametrize(
    ("utterances", "targets", "references"),
    [
        (SINGLE, [[2], [1], [1], [0], [1], [2]], ["ru", "es", "es", "en", "es", "ru"]),
        (SLOTS, [[1, 1], [0, 2], [1, 0]], [f"action={a} object={o}" for a, o in zip(ACTIONS, OBJECTS, strict=True)]),
    ],
    ids=["single", "slots"],
)
def test_targets_and_decoding(tmp_path, utterances, targets, references):
    task = make(tmp_path, utterances)
    assert [task.target(one).tolist() for one in utterances] == targets
    assert [task.reference(one) for one in utterances] == references
    groups = zip(torch.tensor(targets).T, task.sizes, strict=True)
    logits = torch.cat([F.one_hot(indices, size) for indices, size in groups], 1).float()
    assert task.decode(logits, Frames([1] * len(logits))) == references


def test_head_has_one_output_a_label(tmp_path):
    head = make(tmp_path, SLOTS, dropout=0.3).build_head(768)
    assert (head.output.out_features, head.projection.in_features, head.dropout.p) == (2 + 3, 768, 0.3)


def test_decoding_of_equal_logits_is_the_first_label(tmp_path):
    assert make(tmp_path, SINGLE).decode(torch.zeros(1, 3), Frames([1])) == ["en"]


def test_loss_is_the_sum_over_groups(tmp_path):
    task = make(tmp_path, SLOTS)
    torch.manual_seed(0)
    outputs = torch.randn(3, 5)
    targets = [task.target(one) for one in SLOTS]
    expected = [
        -outputs[row, :2].log_softmax(0)[target[0]] - outputs[row, 2:].log_softmax(0)[target[1]]
        for row, target in enumerate(targets)
    ]
    torch.testing.assert_close(task.loss(outputs, Frames([1] * 3), targets), torch.stack(expected))
    assert task.loss(outputs.bfloat16(), Frames([1] * 3), targets).dtype == torch.float32


def test_label_smoothing(tmp_path):
    task = make(tmp_path, SINGLE, label_smoothing=0.2)
    outputs, targets = torch.tensor([[2.0, 0.0, -1.0]]), [torch.tensor([1])]
    wanted = 0.8 * F.one_hot(torch.tensor(1), 3) + 0.2 / 3
    torch.testing.assert_close(task.loss(outputs, Frames([1]), targets), -(wanted * outputs.log_softmax(1)).sum(1))


def test_balanced_weights_make_every_label_weigh_the_same(tmp_path):
    plain, balanced = make(tmp_path, SINGLE), make(tmp_path, SINGLE, class_weights="balanced")
    targets, outputs = [plain.target(one) for one in SINGLE], torch.zeros(len(SINGLE), 3)
    ratio = balanced.loss(outputs, Frames([1] * 6), targets) / plain.loss(outputs, Frames([1] * 6), targets)
    per_label = [ratio[torch.cat(targets) == label].sum().item() for label in range(3)]
    assert per_label == pytest.approx([2.0, 2.0, 2.0])  # 6 utterances, 3 labels


@pytest.mark.parametrize(("utterances", "labels", "message"), [
    (SINGLE, {"label": "eng"}, r"dev-7.*'eng'.*did you mean 'en'.*en es ru"),
    *[(SLOTS, labels, "dev-7.*action object.*utt2label") for labels in ({}, {"label": "on"}, {"action": "on"})],
])  # fmt: skip
def test_invalid_labels_name_the_utterance(tmp_path, utterances, labels, message):
    task = make(tmp_path, utterances)
    for method in (task.target, task.reference) if utterances is SLOTS else (task.target,):
        with pytest.raises(SureError, match=message):
            method(utterance("dev-7", **labels))


def test_missing_counts_are_an_error(tmp_path):
    task = make(tmp_path, SINGLE)
    (tmp_path / "label_counts.json").write_text(json.dumps({"label": {"en": 1}}))
    with pytest.raises(SureError, match="label_counts.json.*tokenize"):
        type(task)(task.Config(class_weights="balanced"), tmp_path, "en")


def test_scores_of_one_label(tmp_path):
    scores = make(tmp_path, SINGLE).score({"a": "es", "b": "en"}, {"a": " es", "b": "ru"})
    assert scores["accuracy"] == 50 and scores["groups"]["label"]["confusion"]["en"] == {"ru": 1}


def test_scores_of_slots(tmp_path):
    task = make(tmp_path, SLOTS)
    references = {one.id: task.reference(one) for one in SLOTS}
    hypotheses = {**references, "b": "action=off object=heat", "c": ""}
    scores = task.score(references, hypotheses)
    assert scores["accuracy"] == pytest.approx(100 / 3)
    assert scores["groups"]["action"]["accuracy"] == pytest.approx(200 / 3)
    assert scores["groups"]["object"]["accuracy"] == pytest.approx(100 / 3)
    confusion = {"heat": {"": 1}, "lights": {"lights": 1}, "music": {"heat": 1}}
    assert scores["groups"]["object"]["confusion"] == confusion
    listing = task.listing(references, hypotheses)
    assert "b music heat\n" in listing and "c on -\n" in listing and "\na " not in listing


def test_a_reference_without_all_groups_is_an_error(tmp_path):
    task = make(tmp_path, SLOTS)
    with pytest.raises(SureError, match="utt-9.*action object.*'action=on'"):
        task.score({"utt-9": "action=on"}, {"utt-9": "action=on object=heat"})
