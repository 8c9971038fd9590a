"""Slot filling: targets with marks as single tokens, decoding, and scores of well-formed and malformed lines."""

import pytest
import torch

from sure import registry
from sure.config import TokenizerConfig
from sure.data.data_dir import Utterance
from sure.errors import SureError

Task = registry.find("tasks", "slots")
TRAIN = {
    "a": "Play B-track Hello, you E-track by B-artist Adele E-artist",
    "b": "B-artist adele E-artist",
    "c": "stop",
}


def utterances(texts):
    return [Utterance(id, f"{id}.wav", seconds=1.0, text=text) for id, text in texts.items()]


@pytest.fixture
def task(tmp_path):
    Task.fit(utterances(TRAIN), tmp_path, tokenizer=TokenizerConfig(kind="slot"), language="en")
    return Task(Task.Config(), tmp_path, "en")


def test_a_target_has_one_token_a_mark(task):
    a, b, _ = utterances(TRAIN)
    tokens = task.tokenizer.tokens()
    assert [tokens[i] for i in task.target(b)] == ["B-artist", *"adele", "E-artist"]
    assert task.reference(a) == "play B-track hello you E-track by B-artist adele E-artist"
    assert len(task.target(a)) == len("play" + "hello you" + "by" + "adele") + 4
    assert {token for token in tokens if "-" in token} == {"B-artist", "E-artist", "B-track", "E-track"}
    assert task.files() == ["tokenizer.json", "tokens.txt"]


def test_decoding_the_target_gives_the_reference(task):
    for one in utterances(TRAIN):
        path = [token for index in task.target(one).tolist() for token in (0, index, index)]
        outputs = torch.nn.functional.one_hot(torch.tensor(path), task.tokenizer.size).float()[None]
        assert task.decode(outputs, torch.tensor([len(path)])) == [task.reference(one)]
        assert bool(task.fits(torch.tensor([len(path)]), [task.target(one)])[0])
        assert task.loss(20 * outputs, torch.tensor([len(path)]), [task.target(one)]).item() < 1e-3


def test_scores_of_what_is_decoded(task):
    """Malformed lines are scored for what is left of their slots."""
    references = {one.id: task.reference(one) for one in utterances(TRAIN)}
    assert task.score(references, references)["slot_type_f1"] == 100
    hypotheses = {
        "a": "play B-track hello you by B-artist adele E-artist",  # track is never closed: F1 2/3, 9 deletions
        "b": "B-artist B-track adel E-track E-artist",  # nested: the outer one, without a letter
        "c": "E-track stop B-artist",  # none at all, as in the reference
    }
    scores = task.score(references, hypotheses)
    assert scores["slot_type_f1"] == pytest.approx(100 * (2 / 3 + 1 + 1) / 3)
    assert scores["slot_value_cer"] == pytest.approx(100 * (9 + 1) / (9 + 5 + 5))
    assert "REF: play B-track hello you E-TRACK by" in task.listing(references, hypotheses)


def test_a_slot_that_training_never_had_is_left_out_of_targets_and_an_error_in_scores(task, caplog):
    one = utterances({"x": "play B-city you E-city"})[0]
    assert task.tokenizer.decode(task.target(one).tolist()) == "play you"
    assert "x: 'B-city' is not in the training texts" in caplog.text
    assert task.score({"x": task.reference(one)}, {"x": "play you"})["slot_type_f1"] == 0


def test_malformed_references_name_the_utterance(task, tmp_path):
    bad = utterances({**TRAIN, "utt-9": "play B-track hello"})
    for function in (Task.check, Task.fit):
        with pytest.raises(SureError, match="utt-9: B-track without an E-track behind it"):
            options = {"tokenizer": TokenizerConfig(kind="slot"), "language": "en"}
            function(bad, **({"folder": tmp_path / "new"} if function == Task.fit else {}), **options)
    with pytest.raises(SureError, match="utt-9: B-track without"):
        task.reference(bad[-1])
    with pytest.raises(SureError, match="utt-9: no transcript"):
        task.target(utterances({"utt-9": None})[0])
