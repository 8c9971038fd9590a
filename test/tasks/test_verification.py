"""Speaker verification: the loss and its margin, embeddings as text, trials in references, and scores."""

import math

import pytest
import torch
import torch.nn.functional as F

from sure.config import make_config
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.frames import Frames
from sure.score.verification import Trials
from sure.tasks.verification import Task
from sure.text.labels import Labels

TRAIN = [Utterance(f"t{index}", "", speaker=name) for index, name in enumerate(["eve", "adam", "eve", "cain"])]
TEST = [
    Utterance("a", "", speaker="abel", trials=(("b", True), ("c", False))),
    Utterance("b", "", speaker="abel", trials=(("d", False),)),
    Utterance("c", "", speaker="seth", trials=(("d", False),)),
    Utterance("d", "", speaker="enos"),
]


def make(folder, **config):
    Task.fit(TRAIN, folder, tokenizer=None, language="en")
    return Task(Task.Config(**{"embedding": 4, **config}), folder, "en")


def outputs_of(task, embeddings, speakers):
    """Outputs of a head with these speaker vectors."""
    embeddings = F.normalize(embeddings, dim=1)
    return torch.cat([embeddings, embeddings @ F.normalize(speakers, dim=1).T], 1)


def test_settings():
    config = Task.Config()
    assert (config.pooling, config.embedding, config.scale, config.margin) == ("statistics", 256, 30, 0.4)
    given = {"task": "verification", "data": {"train": "a", "valid": "b"}, "backbone": {"name": "tiny"}, "petl": "lora"}
    with pytest.raises(SureError, match="head: key 'pooling'.*'mean', 'statistics' or 'attentive'"):
        make_config({**given, "head": {"pooling": "max"}}, "x")


@pytest.fixture
def task(tmp_path):
    return make(tmp_path)


def test_targets_are_the_speakers_of_training(task):
    assert [task.target(one).tolist() for one in TRAIN] == [[2], [0], [2], [1]]
    assert [task.target(one).tolist() for one in (*TEST, Utterance("x", ""))] == [[-1]] * 5
    assert task.build_head(6)(torch.randn(2, 3, 6), Frames([3, 2])).shape == (2, 4 + 3)


@pytest.mark.parametrize(("utterances", "message"), [
    ([*TRAIN, Utterance("t9", "", labels={"label": "eve"})], "t9: no speaker.*utt2spk"),
    ([TRAIN[0], TRAIN[2]], "one speaker, eve"),
])  # fmt: skip
def test_training_needs_utt2spk_and_two_speakers(tmp_path, utterances, message):
    with pytest.raises(SureError, match=message):
        Task.fit(utterances, tmp_path, tokenizer=None, language="en")


def test_labels_of_another_task_are_an_error(tmp_path):
    Labels({"label": ["en"]}).save(tmp_path)
    with pytest.raises(SureError, match="labels.json: not the speakers"):
        Task(Task.Config(), tmp_path, "en")


@pytest.mark.parametrize("scale, margin", [(30.0, 0.4), (10.0, 0.0), (1.0, 0.2)])
def test_loss_is_that_of_the_paper(tmp_path, scale, margin):
    """Equation 5 of arXiv 1801.05599."""
    task = make(tmp_path, scale=scale, margin=margin)
    torch.manual_seed(0)
    outputs = outputs_of(task, torch.randn(4, 4), torch.randn(3, 4))
    targets = [task.target(one) for one in TRAIN]
    expected = []
    for cosines, target in zip(outputs[:, 4:].tolist(), targets, strict=True):
        own = math.exp(scale * (cosines[int(target)] - margin))
        others = sum(math.exp(scale * cosine) for index, cosine in enumerate(cosines) if index != int(target))
        expected.append(-math.log(own / (own + others)))
    assert task.loss(outputs, Frames([1] * 4), targets).tolist() == pytest.approx(expected, rel=1e-4)
    assert task.loss(outputs.bfloat16(), Frames([1] * 4), targets).dtype == torch.float32


def test_unknown_speakers_have_no_loss_on_dev_and_are_an_error_in_training(task):
    outputs = outputs_of(task, torch.randn(2, 4), torch.randn(3, 4))
    targets = [task.target(TEST[0]), task.target(TRAIN[0])]
    loss = task.loss(outputs, Frames([1] * 2), targets)
    assert loss[0] == 0 and loss[1] == task.loss(outputs[1:], Frames([1]), targets[1:])
    with pytest.raises(SureError, match="stage 3 did not see"):
        task.loss(outputs.requires_grad_(), Frames([1] * 2), targets)


def test_an_embedding_is_text_that_keeps_its_cosines(tmp_path):
    task = make(tmp_path, embedding=256)
    torch.manual_seed(0)
    outputs = outputs_of(task, torch.randn(50, 256), torch.randn(3, 256))
    found = torch.tensor([[float(word) for word in line.split()] for line in task.decode(outputs, Frames([1] * 50))])
    torch.testing.assert_close(found @ found.T, outputs[:, :256] @ outputs[:, :256].T, rtol=0, atol=1e-5)


REFERENCES = {"a": "abel b=target c=nontarget", "b": "abel d=nontarget", "c": "seth d=nontarget", "d": "enos"}


def test_scores_are_those_of_the_cosines_of_the_trials(task):
    assert {one.id: task.reference(one) for one in TEST} == REFERENCES
    hypotheses = {"a": "2 0", "b": "1 1", "c": "0 3", "d": "-1 0"}  # the length of an embedding does not count
    cosines = [math.sqrt(0.5), 0, -math.sqrt(0.5), 0]
    kinds = [True, False, False, False]
    scores, trials = task.score(REFERENCES, hypotheses), Trials(cosines, kinds)
    assert scores["eer"] == trials.eer() == 0 and scores["min_dcf_0.01"] == trials.min_dcf(0.01)
    assert scores["trials"] == {"target": 1, "nontarget": 3}
    assert "a b target 0.707107\na c nontarget 0.000000\n" in task.listing(REFERENCES, hypotheses)
    turned = {"a": "1 0", "b": "0 1", "c": "1 0", "d": "0 1"}
    assert task.score(REFERENCES, turned)["eer"] == pytest.approx(75)  # misses 3/4 of the way to 1, accepts 2/3 there


def test_ids_may_contain_signs_of_the_syntax(task):
    trials = (("c=target", True), ("-", False))
    utterances = [Utterance("a=b", "", trials=trials), Utterance("c=target", ""), Utterance("-", "")]
    references = {one.id: task.reference(one) for one in utterances}
    assert references["a=b"].startswith("- c=target=target")  # without a speaker
    scores = task.score(references, {"a=b": "1 0", "c=target": "1 0.1", "-": "0 1"})
    assert scores["trials"] == {"target": 1, "nontarget": 1} and scores["eer"] == 0


@pytest.mark.parametrize("line", ["", "1 2", "1 2 x", "1 2 nan", "1", "1 2 inf"])
def test_an_invalid_embedding_names_the_utterance(task, line):
    hypotheses = {"a": "2 0 0", "b": "1 1 0", "c": line, "d": "-1 0 1"}
    with pytest.raises(SureError, match=r"^c: not an embedding in hyp.txt.*stage 5"):
        task.score(REFERENCES, hypotheses)


@pytest.mark.parametrize("line", ["abel e=target", "abel b=same", "abel b"])
def test_an_invalid_trial_names_the_utterance(task, line):
    with pytest.raises(SureError, match="^a: .* is not a trial.*stage 5"):
        task.score({"a": line, "b": "abel"}, {"a": "1 0", "b": "0 1"})


@pytest.mark.parametrize(
    "trials, words", [((), "no trials"), ((("b", True),), "only target trials"), ((("b", False),), "only nontarget")]
)
def test_a_set_without_both_kinds_of_trials_is_an_error(task, trials, words):
    task.check_set(TEST, "data/test")
    with pytest.raises(SureError, match=f"data/test: {words}.*sure.bin.trials data/test"):
        task.check_set([Utterance("a", "", trials=trials), Utterance("b", "")], "data/test")
