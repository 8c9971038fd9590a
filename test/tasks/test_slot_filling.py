"""Slot filling: targets with marks as single tokens, decoding, and scores of well-formed and malformed lines."""

import pytest
import torch

from sure import registry
from sure.config_sections import TokenizerConfig
from sure.data.data_dir import Utterance
from sure.frames import Frames

Task = registry.find("tasks", "slots")
TRAIN = {"a": "Play B-track Hello, you E-track by B-artist Adele E-artist", "b": "B-artist adele E-artist", "c": "stop"}


def utterances(texts):
    return [Utterance(id, f"{id}.wav", seconds=1.0, text=text) for id, text in texts.items()]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    Task.fit(utterances(TRAIN), folder, tokenizer=TokenizerConfig(kind="slot"), language="en")
    return Task(Task.Config(), folder, "en")


def test_a_target_has_one_token_a_mark(task):
    a, b, _ = utterances(TRAIN)
    tokens = task.tokenizer.tokens
    assert [tokens[i] for i in task.target(b)] == ["B-artist", *"adele", "E-artist"]
    assert task.reference(a) == "play B-track hello you E-track by B-artist adele E-artist"
    assert len(task.target(a)) == len("play" + "hello you" + "by" + "adele") + 4
    assert {token for token in tokens if "-" in token} == {"B-artist", "E-artist", "B-track", "E-track"}
    assert task.files() == ["tokenizer.json", "tokens.txt"]


@pytest.mark.parametrize("one", utterances(TRAIN), ids=list(TRAIN))
def test_decoding_the_target_gives_the_reference(task, one):
    path = [token for index in task.target(one).tolist() for token in (0, index, index)]
    outputs = torch.nn.functional.one_hot(torch.tensor(path), task.tokenizer.size).float()[None]
    assert task.decode(outputs, Frames([len(path)])) == [task.reference(one)]


def test_scores_of_malformed_lines(task):
    references = {one.id: task.reference(one) for one in utterances(TRAIN)}
    hypotheses = {
        "a": "play B-track hello you by B-artist adele E-artist",  # track is never closed: F1 2/3, 9 deletions
        "b": "B-artist B-track adel E-track E-artist",  # nested: the outer one, without a letter
        "c": "E-track stop B-artist",  # none at all, as in the reference
    }
    scores = task.score(references, hypotheses)
    assert scores["slot_type_f1"] == pytest.approx(100 * (2 / 3 + 1 + 1) / 3)
    assert scores["slot_value_cer"] == pytest.approx(100 * (9 + 1) / (9 + 5 + 5))
    assert "REF: play B-track hello you E-TRACK by" in task.listing(references, hypotheses)


def test_a_slot_that_training_does_not_have_is_left_out_of_targets_and_an_error_in_scores(task, caplog):
    one = utterances({"x": "play B-city you E-city"})[0]
    assert task.tokenizer.decode(task.target(one).tolist()) == "play you"
    assert "x: 'B-city' is not in the training transcripts" in caplog.text
    assert task.score({"x": task.reference(one)}, {"x": "play you"})["slot_type_f1"] == 0
