"""Classification tasks: labels, loss, decoding and scores, for one output group and for several."""

import json

import pytest
import torch
import torch.nn.functional as F

from sure import registry
from sure.data.data_dir import Utterance
from sure.data.tables import format_labels
from sure.errors import SureError
from sure.frames import Frames
from sure.tasks.base import BaseTask
from sure.tasks.classification import ClassificationTask

TASKS = ["emotion", "intent", "keyword", "language", "speaker"]


def utterance(id, **labels):
    return Utterance(id, f"{id}.wav", seconds=1.0, labels=labels)


SINGLE = [utterance(f"s{i}", label=label) for i, label in enumerate(["ru", "es", "es", "en", "es", "ru"])]
SLOTS = [
    utterance("a", object="lights", action="on"),
    utterance("b", object="music", action="off"),
    utterance("c", object="heat", action="on"),
]


def make(tmp_path, utterances, **config):
    task = registry.find("tasks", "intent")
    task.fit(utterances, tmp_path, tokenizer=None, language="en")
    return task(task.Config(**config), tmp_path, "en")


@pytest.mark.parametrize("name", TASKS)
def test_found_by_name(name):
    task = registry.find("tasks", name)
    assert issubclass(task, ClassificationTask) and issubclass(task, BaseTask)
    assert task.score_name == "accuracy" and task.higher_is_better and not task.freeze_convolution
    assert not {"heads", "base", "classification", "ctc"} & set(registry.names("tasks"))


def test_targets_and_references(tmp_path):
    single, slots = make(tmp_path / "a", SINGLE), make(tmp_path / "b", SLOTS)
    assert [single.target(one).tolist() for one in SINGLE] == [[2], [1], [1], [0], [1], [2]]
    assert [slots.target(one).tolist() for one in SLOTS] == [[1, 1], [0, 2], [1, 0]]  # action, then object
    assert single.reference(SINGLE[0]) == "ru"
    assert slots.reference(SLOTS[0]) == "action=on object=lights"


def test_head_has_one_output_a_label(tmp_path):
    head = make(tmp_path, SLOTS, dropout=0.3).build_head(768)
    assert sum(parameter.numel() for parameter in head.parameters()) == 196_864 + 257 * (2 + 3)
    assert head.dropout.p == 0.3
    assert head(torch.randn(4, 6, 768), Frames([6, 5, 4, 1])).shape == (4, 5)


@pytest.mark.parametrize("utterances", [SINGLE, SLOTS], ids=["single", "slots"])
def test_decoding_what_was_meant_gives_the_reference(tmp_path, utterances):
    task = make(tmp_path, utterances)
    outputs = torch.zeros(len(utterances), sum(task.sizes))
    for row, one in enumerate(utterances):
        first = 0
        for index, size in zip(task.target(one).tolist(), task.sizes, strict=True):
            outputs[row, first + index] = 1.0
            first += size
    assert task.decode(outputs, Frames([1] * len(utterances))) == [task.reference(one) for one in utterances]


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
    loss = task.loss(outputs, Frames([1] * 3), targets)
    assert loss.shape == (3,)
    torch.testing.assert_close(loss, torch.stack(expected))
    halves = task.loss(outputs.bfloat16(), Frames([1] * 3), targets)
    assert halves.dtype == torch.float32


def test_label_smoothing(tmp_path):
    task = make(tmp_path, SINGLE, label_smoothing=0.2)
    outputs, targets = torch.tensor([[2.0, 0.0, -1.0]]), [torch.tensor([1])]
    wanted = 0.8 * F.one_hot(torch.tensor(1), 3) + 0.2 / 3
    torch.testing.assert_close(task.loss(outputs, Frames([1]), targets), -(wanted * outputs.log_softmax(1)).sum(1))


def test_balanced_weights_make_every_label_weigh_the_same(tmp_path):
    plain, balanced = make(tmp_path, SINGLE), make(tmp_path, SINGLE, class_weights="balanced")
    targets = [plain.target(one) for one in SINGLE]
    outputs = torch.zeros(len(SINGLE), 3)
    ratio = balanced.loss(outputs, torch.ones(6), targets) / plain.loss(outputs, torch.ones(6), targets)
    labels = torch.cat(targets)
    per_label = torch.stack([ratio[labels == label].sum() for label in range(3)])
    torch.testing.assert_close(per_label, torch.full((3,), 2.0))  # 6 utterances, 3 labels
    assert plain.files() == ["labels.json"]
    for name in balanced.files():
        assert (tmp_path / name).is_file()


def test_a_task_needs_only_the_files_it_names(tmp_path):
    for weights in ("none", "balanced"):
        task = make(tmp_path / "whole", SLOTS, class_weights=weights)
        part = tmp_path / weights
        part.mkdir()
        for name in task.files():
            (part / name).write_bytes((tmp_path / "whole" / name).read_bytes())
        again = type(task)(task.config, part, "en")
        assert [again.reference(one) for one in SLOTS] == [task.reference(one) for one in SLOTS]


def test_unseen_label_names_utterance_label_and_the_known_ones(tmp_path):
    task = make(tmp_path, SINGLE)
    with pytest.raises(SureError, match=r"dev-7.*'eng'.*did you mean 'en'.*en es ru"):
        task.target(utterance("dev-7", label="eng"))


@pytest.mark.parametrize("labels", [{}, {"label": "on"}, {"action": "on"}])
def test_other_groups_than_in_training(tmp_path, labels):
    task = make(tmp_path, SLOTS)
    for method in (task.target, task.reference):
        with pytest.raises(SureError, match="dev-7.*action object.*utt2label"):
            method(utterance("dev-7", **labels))


def test_missing_files_name_folder_and_stage(tmp_path):
    task = registry.find("tasks", "speaker")
    with pytest.raises(SureError, match=f"{tmp_path}.*tokenize"):
        task(task.Config(), tmp_path, "en")
    make(tmp_path, SINGLE)
    (tmp_path / "label_counts.json").write_text(json.dumps({"label": {"en": 1}}))
    with pytest.raises(SureError, match="label_counts.json.*tokenize"):
        task(task.Config(class_weights="balanced"), tmp_path, "en")


def test_scores_of_slots(tmp_path):
    task = make(tmp_path, SLOTS)
    references = {one.id: task.reference(one) for one in SLOTS}
    hypotheses = {**references, "b": "action=off object=heat", "c": ""}
    scores = task.score(references, hypotheses)
    assert scores["accuracy"] == pytest.approx(100 / 3)
    assert scores["groups"]["action"]["accuracy"] == pytest.approx(200 / 3)
    assert scores["groups"]["object"]["accuracy"] == pytest.approx(100 / 3)
    assert scores["groups"]["object"]["confusion"] == {
        "heat": {"": 1},
        "lights": {"lights": 1},
        "music": {"heat": 1},
    }
    listing = task.listing(references, hypotheses)
    assert "b music heat\n" in listing and "c on -\n" in listing and "\na " not in listing


def test_intent_of_three_slots_and_the_same_as_one_joint_label(tmp_path):
    """Fluent Speech Commands: 31 triples of 6 actions, 14 objects and 4 locations; all three have to be right."""
    said = {f"u{i}": {"action": f"a{i % 6}", "object": f"o{i % 14}", "location": f"l{i % 4}"} for i in range(31)}
    heard = {id: dict(labels) for id, labels in said.items()}
    heard["u3"] |= {"action": "a5", "object": "o0"}  # wrong twice, and once each
    heard["u7"] |= {"location": ""}
    heard["u9"] |= {"object": "o8"}

    slots = make(tmp_path / "slots", [utterance(id, **labels) for id, labels in said.items()])
    assert dict(zip(slots.labels.groups, slots.sizes, strict=True)) == {"action": 6, "location": 4, "object": 14}
    lines = [{id: format_labels(labels) for id, labels in side.items()} for side in (said, heard)]
    scores = slots.score(*lines)
    assert scores["accuracy"] == pytest.approx(100 * 28 / 31)
    accuracies = {group: scores["groups"][group]["accuracy"] for group in slots.labels.groups}
    assert accuracies == pytest.approx({"action": 100 * 30 / 31, "location": 100 * 30 / 31, "object": 100 * 29 / 31})

    joint = [{id: "_".join(labels.values()) for id, labels in side.items()} for side in (said, heard)]
    single = make(tmp_path / "joint", [utterance(id, label=label) for id, label in joint[0].items()])
    assert (single.labels.groups, single.sizes) == (["label"], [31])
    assert single.reference(utterance("u3", label="a3_o3_l3")) == "a3_o3_l3"
    assert single.score(*joint)["accuracy_interval"] == scores["accuracy_interval"]


def test_emotions_of_one_utterance_each_are_scored_by_recall_too(tmp_path):
    task = registry.find("tasks", "emotion")
    train = [utterance(f"u{i}", label=label) for i, label in enumerate(["ang", "hap", "neu", "sad"])]
    task.fit(train, tmp_path, tokenizer=None, language="en")
    made = task(task.Config(class_weights="balanced"), tmp_path, "en")
    references = {f"t{i}": label for i, label in enumerate(["neu"] * 8 + ["ang", "sad"])}
    scores = made.score(references, dict.fromkeys(references, "neu") | {"t8": "ang"})
    assert scores["accuracy"] == pytest.approx(90)
    assert scores["unweighted_average_recall"] == pytest.approx(200 / 3)
    assert scores["groups"]["label"]["confusion"]["sad"] == {"neu": 1}


def test_a_reference_without_all_groups_is_an_error(tmp_path):
    task = make(tmp_path, SLOTS)
    with pytest.raises(SureError, match="utt-9.*action object.*'action=on'"):
        task.score({"utt-9": "action=on"}, {"utt-9": "action=on object=heat"})
