"""EER and minimum detection cost compared with scikit-learn's ROC, with all thresholds, and by hand."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from sure.errors import SureError
from sure.score.verification import Trials, trial_listing, verification_scores


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
def test_eer_is_the_point_of_equal_rates_on_the_roc_curve_of_scikit_learn(seed, digits):
    scores, targets = random_trials(seed, digits)
    false_alarms, hits, _ = roc_curve(targets, scores, drop_intermediate=False)
    # parametrised by length along the curve, which has vertical parts
    length = np.r_[0, np.cumsum(np.diff(false_alarms) + np.diff(hits))]
    place = brentq(lambda at: np.interp(at, length, 1 - hits) - np.interp(at, length, false_alarms), 0, 2, xtol=1e-14)
    trials = Trials(scores, targets)
    assert trials.eer() == pytest.approx(100 * np.interp(place, length, false_alarms), abs=1e-9)
    gaps = np.abs(np.subtract(*every_threshold(scores, targets).T))[:-1]  # rejecting all trials is not a threshold
    assert trials.eer_threshold() in np.array(sorted(set(scores)))[gaps <= gaps.min() + 1e-9]


@pytest.mark.parametrize("digits", [None, 0])
@pytest.mark.parametrize("p_target", [0.01, 0.05, 0.5, 0.9])
def test_min_dcf_is_the_minimum_over_all_thresholds(digits, p_target):
    found = []
    for seed in range(20):
        scores, targets = random_trials(seed, digits)
        costs = every_threshold(scores, targets) @ [p_target, 1 - p_target]
        found.append(Trials(scores, targets).min_dcf(p_target))
        assert found[-1] == pytest.approx(min(costs) / min(p_target, 1 - p_target))
    assert min(found) < 0.99 and max(found) <= 1


@pytest.mark.parametrize(
    "scores, targets, words",
    [
        ([0.1, 0.2], [True, True], "only target trials"),
        ([0.1, 0.2], [False, False], "only nontarget trials"),
        ([], [], "no trials"),
        ([0.1, float("nan")], [True, False], "trial 1 is not a number"),
        ([0.1, 0.2, 0.3], [True, False], "expected one score for each trial"),
    ],
)
def test_invalid_trials_are_errors(scores, targets, words):
    with pytest.raises(SureError, match=words):
        Trials(scores, targets)


def speakers_and_scores(seed, speakers=12, each=8):
    """Trials of all pairs of utterances; each utterance has a number near the number of its speaker."""
    generator = np.random.default_rng(seed)
    names = np.repeat([f"s{index}" for index in range(speakers)], each)
    place = np.repeat(generator.normal(size=speakers), each) + 0.3 * generator.normal(size=len(names))
    first, second = np.triu_indices(len(names), 1)
    pairs = list(zip(names[first], names[second], strict=True))
    return -np.abs(place[first] - place[second]), names[first] == names[second], pairs


def test_a_draw_of_speakers_equals_a_trial_list_with_copies(monkeypatch):
    """The EER of a draw is the EER of the trial list in which each copy of a speaker is another speaker."""
    scores, targets, pairs = speakers_and_scores(1, speakers=4, each=3)
    counts, seen = np.array([[2.0, 0.0, 1.0, 1.0]]), []
    monkeypatch.setattr(
        "sure.score.verification.bootstrap_interval", lambda statistic, units: seen.append((statistic(counts), units))
    )
    verification_scores(scores, targets, pairs)
    copies = {"s0": ["a", "b"], "s1": [], "s2": ["c"], "s3": ["d"]}
    rows = [
        (score, target)
        for score, target, (first, second) in zip(scores, targets, pairs, strict=True)
        for one in copies[first]
        for other in copies[second]
        if (one == other) == (first == second)
    ]
    assert seen == [([Trials(*zip(*rows, strict=True)).eer()], 4)]


def test_scores_are_complete_and_repeatable():
    data = speakers_and_scores(2)
    scores, trials = verification_scores(*data), Trials(*data[:2])
    assert scores == verification_scores(*data)
    assert scores["eer"] == trials.eer() and scores["eer_threshold"] == trials.eer_threshold()
    assert [scores[f"min_dcf_{p}"] for p in (0.01, 0.05)] == [trials.min_dcf(p) for p in (0.01, 0.05)]
    assert scores["eer_interval"][0] < scores["eer"] < scores["eer_interval"][1]
    assert scores["trials"] == {"target": 12 * 28, "nontarget": 66 * 64}


def test_listing_marks_wrong_trials():
    trials = [("a", "b", True), ("a", "c", False), ("b", "c", False), ("c", "d", True)]
    assert trial_listing(trials, [0.9, 0.1, 0.8, 0.2]).splitlines() == [
        "accepted from score 0.800000 on (id id kind score)",
        "a b target 0.900000",
        "a c nontarget 0.100000",
        "b c nontarget 0.800000 false_alarm",
        "c d target 0.200000 miss",
    ]
