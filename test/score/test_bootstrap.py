"""Bootstrap intervals compared with known distributions and with scipy."""

import numpy as np
import pytest
from scipy import stats

from sure.score import bootstrap
from sure.score.bootstrap import bootstrap_interval, ratio_interval


def test_same_seed_same_interval():
    errors, sizes = np.arange(30) % 4, np.full(30, 5)
    assert ratio_interval(errors, sizes) == ratio_interval(errors, sizes)
    assert ratio_interval(errors, sizes, seed=1) != ratio_interval(errors, sizes)


def test_equal_utterances_have_an_interval_of_width_zero():
    assert ratio_interval([1] * 20, [4] * 20) == [25.0, 25.0]
    assert ratio_interval([1], [4]) == [25.0, 25.0]


def test_interval_of_an_accuracy_is_binomial():
    right = np.repeat([1, 0], [700, 300])
    low, high = ratio_interval(right, np.ones(1000))
    expected = stats.binom.ppf([0.025, 0.975], 1000, 0.7) / 10
    assert [low, high] == pytest.approx(expected, abs=0.4)


def test_a_ratio_equals_scipy():
    generator = np.random.default_rng(3)
    sizes = generator.integers(1, 20, 200)
    errors = generator.binomial(sizes, 0.3)
    reference = stats.bootstrap(
        (errors, sizes),
        lambda e, s, axis: 100 * e.sum(axis) / s.sum(axis),
        paired=True, vectorized=True, method="percentile", n_resamples=4000, rng=5,
    ).confidence_interval  # fmt: skip
    assert ratio_interval(errors, sizes, draws=4000) == pytest.approx(list(reference), abs=0.3)


def test_draws_are_whole_test_sets():
    seen = []

    def statistic(counts):
        seen.append(counts)
        return counts[:, 0]

    bootstrap_interval(statistic, 7, draws=11)
    counts = np.concatenate(seen)
    assert counts.shape == (11, 7) and (counts.sum(1) == 7).all()


def test_blocks_do_not_change_the_draws(monkeypatch):
    errors, sizes = np.arange(30) % 4, np.full(30, 5)
    whole = ratio_interval(errors, sizes)
    monkeypatch.setattr(bootstrap, "CELLS", 64)
    assert ratio_interval(errors, sizes) == pytest.approx(whole)


def test_draws_with_only_empty_references_are_left_out():
    low, high = ratio_interval([1, 1], [0, 2])  # (1+1)/2, (1+1)/(2+2); or none to divide by
    assert np.isfinite([low, high]).all() and low >= 50 and high <= 100
