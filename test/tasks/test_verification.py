"""Speaker verification: loss, embeddings as text, trials in references, and scores against scikit-learn's ROC curve."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.frames import Frames
from sure.score.verification import Trials, verification_scores
from sure.tasks.verification import Task
from sure.text.labels import Labels

TRAIN = [Utterance(f"t{index}", "", speaker=name) for index, name in enumerate(["eve", "adam", "eve", "cain"])]
C = "c=target"  # ids may contain signs of the syntax
TEST = [
    Utterance("a", "", speaker="abel", trials=(("b", True), (C, False))),
    Utterance("b", "", speaker="abel", trials=(("-", False),)),
    Utterance(C, "", trials=(("-", False),)),
    Utterance("-", "", speaker="enos"),
]
REFERENCES = {"a": f"abel b=target {C}=nontarget", "b": "abel -=nontarget", C: "- -=nontarget", "-": "enos"}


def make(folder, **config):
    Task.fit(TRAIN, folder, tokenizer=None, language="en")
    return Task(Task.Config(**{"embedding": 4, **config}), folder, "en")


@pytest.fixture
def task(tmp_path):
    return make(tmp_path)


def some_outputs(batch):
    """Outputs of a head with random embeddings and speaker vectors."""
    torch.manual_seed(0)
    embeddings, speakers = F.normalize(torch.randn(batch, 4), dim=1), F.normalize(torch.randn(3, 4), dim=1)
    return torch.cat([embeddings, embeddings @ speakers.T], 1)


def test_targets_are_the_speakers_of_training(task):
    assert [task.target(one).tolist() for one in TRAIN] == [[2], [0], [2], [1]]
    assert [task.target(one).tolist() for one in (*TEST, Utterance("x", ""))] == [[-1]] * 5


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
    task, outputs, expected = make(tmp_path, scale=scale, margin=margin), some_outputs(4), []
    targets = [task.target(one) for one in TRAIN]
    for cosines, target in zip(outputs[:, 4:].tolist(), targets, strict=True):
        own = math.exp(scale * (cosines[int(target)] - margin))
        others = sum(math.exp(scale * cosine) for index, cosine in enumerate(cosines) if index != int(target))
        expected.append(-math.log(own / (own + others)))
    assert task.loss(outputs, Frames([1] * 4), targets).tolist() == pytest.approx(expected, rel=1e-4)
    assert task.loss(outputs.bfloat16(), Frames([1] * 4), targets).dtype == torch.float32


def test_unknown_speakers_have_no_loss_on_dev_and_are_an_error_in_training(task):
    outputs, targets = some_outputs(2), [task.target(TEST[0]), task.target(TRAIN[0])]
    loss = task.loss(outputs, Frames([1] * 2), targets)
    assert loss[0] == 0 and loss[1] == task.loss(outputs[1:], Frames([1]), targets[1:])
    with pytest.raises(SureError, match="stage 3 did not see"):
        task.loss(outputs.requires_grad_(), Frames([1] * 2), targets)


def test_scores_are_those_of_the_cosines_of_the_trials(task):
    assert {one.id: task.reference(one) for one in TEST} == REFERENCES
    hypotheses = {"a": "2 0", "b": "1 1", C: "0 3", "-": "-1 0"}  # the length of an embedding does not count
    scores, trials = task.score(REFERENCES, hypotheses), Trials([math.sqrt(0.5), 0, -math.sqrt(0.5), 0], [1, 0, 0, 0])
    assert scores["eer"] == trials.eer() == 0 and scores["min_dcf_0.01"] == trials.min_dcf(0.01)
    assert scores["trials"] == {"target": 1, "nontarget": 3}
    turned = {"a": "1 0", "b": "0 1", C: "1 0", "-": "0 1"}
    assert task.score(REFERENCES, turned)["eer"] == pytest.approx(75)  # misses 3/4 of the way to 1, accepts 2/3 there
    header, *lines = task.listing(REFERENCES, turned).splitlines()
    assert header.startswith("accepted from score 1.000000 on") and lines[0] == "a b target 0.000000 miss"
    assert lines[1] == f"a {C} nontarget 1.000000 false_alarm" and lines[3] == f"{C} - nontarget 0.000000"


@pytest.mark.parametrize(("references", "line", "message"), [
    ({"e": "abel"}, "1 0 0", "^hyp.txt: .*1 missing .e."),
    *[({}, line, "^c=target: not an embedding in hyp.txt") for line in ("", "1 2", "1 2 x", "1 2 nan", "1 2 inf")],
    *[({"a": line}, "1 0 0", "^a: .* is not a trial") for line in ("abel e=target", "abel b=same", "abel b")],
])  # fmt: skip
def test_an_invalid_line_names_the_utterance(task, references, line, message):
    with pytest.raises(SureError, match=f"{message}.*stage 5"):
        task.score(REFERENCES | references, {"a": "2 0 0", "b": "1 1 0", C: line, "-": "-1 0 1"})


def test_a_set_with_target_trials_only_is_an_error(task):
    with pytest.raises(SureError, match="data/test: only target trials.*sure.bin.trials data/test"):
        task.check_set([Utterance("a", "", trials=(("b", True),)), Utterance("b", "")], "data/test")


def random_trials(seed, digits=None):
    """Up to 200 trials; rounded scores have ties within and between targets and nontargets."""
    generator = np.random.default_rng(seed)
    targets = generator.random(generator.integers(5, 200)) < generator.uniform(0.1, 0.9)
    targets[:2] = True, False
    scores = generator.normal(targets * generator.uniform(-0.5, 3.0))
    return (scores if digits is None else scores.round(digits)), targets


def every_threshold(scores, targets):
    """(misses, false alarms) at each threshold, from accepting all to rejecting all trials."""
    accepted = [scores >= threshold for threshold in [*sorted(set(scores)), np.inf]]
    return np.array([(1 - each[targets].mean(), each[~targets].mean()) for each in accepted])


@pytest.mark.parametrize("digits", [None, 1, 0])
@pytest.mark.parametrize("seed", range(20))
def test_eer_is_the_point_of_equal_rates_on_the_roc_curve_and_min_dcf_the_minimum_over_all_thresholds(seed, digits):
    scores, targets = random_trials(seed, digits)
    false_alarms, hits, _ = roc_curve(targets, scores, drop_intermediate=False)
    # parametrised by length along the curve, which has vertical parts
    length = np.r_[0, np.cumsum(np.diff(false_alarms) + np.diff(hits))]
    place = brentq(lambda at: np.interp(at, length, 1 - hits) - np.interp(at, length, false_alarms), 0, 2, xtol=1e-14)
    trials, rates = Trials(scores, targets), every_threshold(scores, targets)
    assert trials.eer() == pytest.approx(100 * np.interp(place, length, false_alarms), abs=1e-9)
    gaps = np.abs(np.subtract(*rates.T))[:-1]  # rejecting all trials is not a threshold
    assert trials.eer_threshold() in np.array(sorted(set(scores)))[gaps <= gaps.min() + 1e-9]
    for p_target in (0.01, 0.05, 0.5, 0.9):
        lowest = min(rates @ [p_target, 1 - p_target])
        assert trials.min_dcf(p_target) == pytest.approx(lowest / min(p_target, 1 - p_target))


@pytest.mark.parametrize(("scores", "targets", "words"), [
    ([0.1, 0.2], [True, True], "only target trials"), ([0.1, 0.2], [False, False], "only nontarget trials"),
    ([], [], "no trials"), ([0.1, float("nan")], [True, False], "trial 1 is not a number"),
])  # fmt: skip
def test_invalid_trials_are_errors(scores, targets, words):
    with pytest.raises(SureError, match=words):
        Trials(scores, targets)


def test_a_draw_of_speakers_equals_a_trial_list_with_copies(monkeypatch):
    """The EER of a draw is the EER of the trial list in which each copy of a speaker is another speaker."""
    names, generator = np.repeat(["s0", "s1", "s2", "s3"], 3), np.random.default_rng(1)
    first, second = np.triu_indices(12, 1)
    scores, targets = generator.normal(size=66), names[first] == names[second]
    pairs = list(zip(names[first], names[second], strict=True))
    counts, seen = np.array([[2.0, 0.0, 1.0, 1.0]]), []
    monkeypatch.setattr(
        "sure.score.verification.bootstrap_interval", lambda statistic, units: seen.append((statistic(counts), units))
    )
    found, trials = verification_scores(scores, targets, pairs), Trials(scores, targets)
    assert found["eer"] == trials.eer() and found["eer_threshold"] == trials.eer_threshold()
    assert [found[f"min_dcf_{p}"] for p in (0.01, 0.05)] == [trials.min_dcf(p) for p in (0.01, 0.05)]
    copies = {"s0": ["a", "b"], "s1": [], "s2": ["c"], "s3": ["d"]}
    rows = [
        (score, target)
        for score, target, (first, second) in zip(scores, targets, pairs, strict=True)
        for one, other in itertools.product(copies[first], copies[second])
        if (one == other) == (first == second)
    ]
    assert seen == [([Trials(*zip(*rows, strict=True)).eer()], 4)]
