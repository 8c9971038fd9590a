"""EER and minimum detection cost compared with scikit-learn's ROC, with all thresholds, and by hand."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from sure.errors import SureError
from sure.score.verification import eer, eer_threshold, min_dcf, trial_listing, verification_scores

SCORES = {"eer": eer, "threshold": eer_threshold, "min_dcf": lambda scores, targets: min_dcf(scores, targets, 0.05)}


def random_trials(seed, digits=None):
    """Up to 200 trials; rounded scores have ties within and between targets and nontargets."""
    generator = np.random.default_rng(seed)
    targets = generator.random(generator.integers(5, 200)) < generator.uniform(0.1, 0.9)
    targets[:2] = True, False
    scores = generator.normal(targets * generator.uniform(-0.5, 3.0))
    return (scores if digits is None else scores.round(digits)), targets


def every_threshold(scores, targets):
    """(misses, false alarms) at each threshold."""
    for threshold in [*sorted(set(scores)), np.inf]:
        accepted = scores >= threshold
        yield 1 - accepted[targets].mean(), accepted[~targets].mean()


@pytest.mark.parametrize("digits", [None, 1, 0])
@pytest.mark.parametrize("seed", range(20))
def test_eer_is_the_point_of_equal_rates_on_the_roc_curve_of_scikit_learn(seed, digits):
    scores, targets = random_trials(seed, digits)
    false_alarms, hits, _ = roc_curve(targets, scores, drop_intermediate=False)
    # parametrised by length along the curve, which has vertical parts
    length = np.r_[0, np.cumsum(np.diff(false_alarms) + np.diff(hits))]
    place = brentq(lambda at: np.interp(at, length, 1 - hits) - np.interp(at, length, false_alarms), 0, 2, xtol=1e-14)
    assert eer(scores, targets) == pytest.approx(100 * np.interp(place, length, false_alarms), abs=1e-9)


@pytest.mark.parametrize("digits", [None, 0])
@pytest.mark.parametrize("seed", range(10))
def test_eer_lies_between_the_rates_of_neighbouring_thresholds(seed, digits):
    scores, targets = random_trials(seed, digits)
    rates = list(every_threshold(scores, targets))
    nearest = min(rates, key=lambda pair: abs(pair[0] - pair[1]))
    at_least = max(min(pair) for pair in rates)
    at_most = min(max(pair) for pair in rates)
    assert 100 * at_least - 1e-9 <= eer(scores, targets) <= 100 * at_most + 1e-9
    accepted = scores >= eer_threshold(scores, targets)
    gap = abs((1 - accepted[targets].mean()) - accepted[~targets].mean())
    assert gap == pytest.approx(abs(nearest[0] - nearest[1])) or nearest == (1, 0)


@pytest.mark.parametrize("digits", [None, 0])
@pytest.mark.parametrize(
    "p_target, c_miss, c_fa", [(0.01, 1, 1), (0.05, 1, 1), (0.5, 1, 1), (0.01, 10, 1), (0.9, 1, 2)]
)
def test_min_dcf_is_the_minimum_over_all_thresholds(digits, p_target, c_miss, c_fa):
    found = []
    for seed in range(20):
        scores, targets = random_trials(seed, digits)
        costs = [c_miss * p_target * m + c_fa * (1 - p_target) * f for m, f in every_threshold(scores, targets)]
        found.append(min_dcf(scores, targets, p_target, c_miss, c_fa))
        assert found[-1] == pytest.approx(min(costs) / min(c_miss * p_target, c_fa * (1 - p_target)))
        false_alarms, hits, _ = roc_curve(targets, scores)
        least = (c_miss * p_target * (1 - hits) + c_fa * (1 - p_target) * false_alarms).min()
        assert found[-1] == pytest.approx(least / min(c_miss * p_target, c_fa * (1 - p_target)))
    assert min(found) < 0.99 and max(found) <= 1


BY_HAND = {  # scores of targets, of nontargets, EER
    "apart": ([2, 3], [0, 1], 0),
    "the other way round": ([0, 1], [2, 3], 100),
    "all the same": ([1, 1, 1], [1, 1], 50),
    "one of four on the wrong side": ([1, 3, 4, 5], [0, 0.5, 2, 0.7], 25),
    # rejecting up to 1: no miss and half accepted; up to 2, the tie: half missed, none accepted
    "a tie of both kinds": ([2, 3], [1, 2], 25),
    # (0, 1) to (0, 1/3) to, by the tie, (1/2, 0): m = f at 1/5
    "an uneven tie": ([2, 3], [1, 1, 2], 20),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_eer_by_hand(case):
    wanted, others, rate = BY_HAND[case]
    assert eer([*wanted, *others], [True] * len(wanted) + [False] * len(others)) == pytest.approx(rate)


def test_thresholds_by_hand():
    assert eer_threshold([0.1, 0.2, 0.8, 0.9], [False, False, True, True]) == 0.8
    assert eer_threshold([1.0, 1.0], [True, False]) == 1.0  # rejecting all trials is not a threshold


def test_min_dcf_by_hand():
    scores, targets = [0.0, 1.0, 2.0, 3.0], [False, True, False, True]
    assert min_dcf(scores, targets, 0.5) == pytest.approx(0.5)  # reject one target, or accept one nontarget
    assert min_dcf(scores, targets, 0.01) == pytest.approx(0.5)  # a false alarm costs 99 times as much
    assert min_dcf(scores, targets, 0.01, c_miss=99) == pytest.approx(0.5)
    assert min_dcf([0, 1], [True, False], 0.01) == 1  # rejecting all trials is best


@pytest.mark.parametrize("score", SCORES)
def test_order_and_scale_of_scores_do_not_matter(score):
    scores, targets = random_trials(3, digits=0)
    mixed = np.random.default_rng(0).permutation(len(scores))
    wanted = SCORES[score](scores, targets)
    assert SCORES[score](scores[mixed], targets[mixed]) == wanted
    scale = 3.0 if score == "threshold" else 1.0
    assert SCORES[score](3 * scores, targets) == pytest.approx(scale * wanted)


@pytest.mark.parametrize("score", SCORES)
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
def test_invalid_trials_are_errors(score, scores, targets, words):
    with pytest.raises(SureError, match=words):
        SCORES[score](scores, targets)


def speakers_and_scores(seed, speakers=12, each=8):
    """Trials of all pairs of utterances; each utterance has a number near the number of its speaker."""
    generator = np.random.default_rng(seed)
    names = np.repeat([f"s{index}" for index in range(speakers)], each)
    place = np.repeat(generator.normal(size=speakers), each) + 0.3 * generator.normal(size=len(names))
    first, second = np.triu_indices(len(names), 1)
    pairs = list(zip(names[first], names[second], strict=True))
    return -np.abs(place[first] - place[second]), names[first] == names[second], pairs


def test_interval_is_a_bootstrap_over_speakers():
    """EERs of new test sets vary as the interval predicts, and far more than EERs of drawn trials."""
    drawn = [eer(*speakers_and_scores(seed)[:2]) for seed in range(300)]
    intervals = [verification_scores(*speakers_and_scores(seed))["eer_interval"] for seed in range(300, 310)]
    width = np.mean([high - low for low, high in intervals])
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert 0.6 < width / (high - low) < 1.4
    scores, targets, _ = speakers_and_scores(300)
    generator = np.random.default_rng(0)
    alone = [generator.integers(len(scores), size=len(scores)) for _ in range(300)]
    spread = np.ptp(np.percentile([eer(scores[draw], targets[draw]) for draw in alone], [2.5, 97.5]))
    assert spread < 0.6 * (high - low)


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
    assert seen == [([eer(*zip(*rows, strict=True))], 4)]


def test_scores_are_complete_and_repeatable():
    trials = speakers_and_scores(2)
    scores = verification_scores(*trials)
    assert scores == verification_scores(*trials)
    assert scores["eer"] == eer(*trials[:2]) and scores["min_dcf_0.01"] == min_dcf(*trials[:2], 0.01)
    assert scores["min_dcf_0.05"] == min_dcf(*trials[:2], 0.05)
    assert scores["eer_interval"][0] < scores["eer"] < scores["eer_interval"][1]
    assert scores["trials"] == {"target": 12 * 28, "nontarget": 66 * 64}


def test_listing_marks_wrong_trials():
    trials = [("a", "b", True), ("a", "c", False), ("b", "c", False), ("c", "d", True)]
    lines = trial_listing(trials, [0.9, 0.1, 0.8, 0.2]).splitlines()
    assert lines == [
        "accepted from score 0.800000 on (id id kind score)",
        "a b target 0.900000",
        "a c nontarget 0.100000",
        "b c nontarget 0.800000 false_alarm",
        "c d target 0.200000 miss",
    ]
