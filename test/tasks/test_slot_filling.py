"""Slot filling: targets with marks as single tokens, decoding, and scores of well-formed and malformed lines."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchaudio.functional import edit_distance

from sure import registry
from sure.config_sections import TokenizerConfig
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.frames import Frames

Task = registry.find("tasks", "slots")
TRAIN = {
    "a": "Play B-track Hello, you E-track by B-artist Adele E-artist",
    "b": "B-artist adele E-artist",
    "c": "stop",
}


def utterances(texts):
    return [Utterance(id, f"{id}.wav", seconds=1.0, text=text) for id, text in texts.items()]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    Task.fit(utterances(TRAIN), folder, tokenizer=TokenizerConfig(kind="slot"), language="en")
    return Task(Task.Config(), folder, "en")


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
        assert task.decode(outputs, Frames([len(path)])) == [task.reference(one)]
        assert bool(task.fits(torch.tensor([len(path)]), [task.target(one)])[0])
        assert task.loss(20 * outputs, Frames([len(path)]), [task.target(one)]).item() < 1e-3


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


def superb(pairs):
    """Slot-type F1 and slot-value CER by s3prl's definition: slots are what its regular expression finds."""
    f1, errors, size = [], 0, 0
    for said, heard in pairs:
        wanted, found = (
            [(kind, value) for kind, value in re.findall(r"B-(\S+) (.+?) E-\1", text)] for text in (said, heard)
        )
        kinds, found_kinds = ({kind for kind, _ in side} for side in (wanted, found))
        precision, recall = (len(kinds & found_kinds) / max(1, len(side)) for side in (found_kinds, kinds))
        f1.append(2 * precision * recall / ((precision + recall) or 1) if kinds or found_kinds else 1)
        for kind, value in wanted:
            same = [other for other_kind, other in found if other_kind == kind] or [""]
            errors += min(edit_distance(value, other) for other in same)
            size += len(value)
    return 100 * sum(f1) / len(f1), size and 100 * errors / size


runs = st.tuples(
    st.sampled_from(["{}", "B-x {} E-x", "B-xy {} E-xy", "B-y {} E-y"]), st.sampled_from(["a", "ba", "b a"])
)
texts = st.lists(runs, max_size=5).map(lambda parts: " ".join(form.format(words) for form, words in parts))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_scores_of_texts_are_those_of_superb(task, pairs):
    """Empty lines, lines without slots, several slots of a type and several values equally close among them."""
    references, hypotheses = ({f"u{i}": text for i, text in enumerate(side)} for side in zip(*pairs, strict=True))
    if not any("B-" in text for text in references.values()):
        with pytest.raises(SureError, match="no reference has a slot"):
            task.score(references, hypotheses)
        return
    scores = task.score(references, hypotheses)
    assert (scores["slot_type_f1"], scores["slot_value_cer"]) == pytest.approx(superb(pairs))


def test_a_slot_that_training_never_had_is_left_out_of_targets_and_an_error_in_scores(task, caplog):
    one = utterances({"x": "play B-city you E-city"})[0]
    assert task.tokenizer.decode(task.target(one).tolist()) == "play you"
    assert "x: 'B-city' is not in the training transcripts" in caplog.text
    assert task.score({"x": task.reference(one)}, {"x": "play you"})["slot_type_f1"] == 0


def test_malformed_references_name_the_utterance(task, tmp_path):
    bad = utterances({**TRAIN, "utt-9": "play B-track hello"})
    for function in (Task.check, Task.fit):
        with pytest.raises(SureError, match="utt-9: B-track without an E-track after it"):
            options = {"tokenizer": TokenizerConfig(kind="slot"), "language": "en"}
            function(bad, **({"folder": tmp_path / "new"} if function == Task.fit else {}), **options)
    with pytest.raises(SureError, match="utt-9: B-track without"):
        task.reference(bad[-1])
    with pytest.raises(SureError, match="utt-9: no transcript"):
        task.target(utterances({"utt-9": None})[0])
