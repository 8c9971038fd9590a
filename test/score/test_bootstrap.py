"""Bootstrap intervals compared with known distributions and with scipy."""

import numpy as np
import pytest
from scipy import stats

from sure.score import bootstrap
from sure.score.bootstrap import bootstrap_interval, ratio_interval


@pytest.mark.parametrize(("numerators", "denominators", "interval", "tolerance"), [
    ([1] * 20, [4] * 20, [25, 25], 0),  # equal utterances
    (np.repeat([1, 0], [700, 300]), np.ones(1000), stats.binom.ppf([0.025, 0.975], 1000, 0.7) / 10, 0.4),
    ([1, 1], [0, 2], [50, 100], 0),  # (1 + 1) / 2, (1 + 1) / (2 + 2), or nothing to divide by, which is left out
])  # fmt: skip
def test_intervals_by_hand(numerators, denominators, interval, tolerance):
    assert ratio_interval(numerators, denominators) == pytest.approx(list(interval), abs=tolerance)


def test_a_ratio_equals_scipy(monkeypatch):
    monkeypatch.setattr(bootstrap, "DRAWS", 4000)
    generator = np.random.default_rng(3)
    sizes = generator.integers(1, 20, 200)
    errors = generator.binomial(sizes, 0.3)
    reference = stats.bootstrap(
        (errors, sizes),
        lambda e, s, axis: 100 * e.sum(axis) / s.sum(axis),
        paired=True, vectorized=True, method="percentile", n_resamples=4000, rng=5,
    ).confidence_interval  # fmt: skip
    assert ratio_interval(errors, sizes) == pytest.approx(list(reference), abs=0.3)


def test_draws_are_whole_test_sets_and_the_same_in_every_call_and_block_size(monkeypatch):
    def draws():
        seen = []
        bootstrap_interval(lambda counts: seen.append(counts) or counts[:, 0], 7)
        return np.concatenate(seen)

    whole = draws()
    assert whole.shape == (1000, 7) and (whole.sum(1) == 7).all() and len(np.unique(whole, axis=0)) > 500
    monkeypatch.setattr(bootstrap, "CELLS", 64)
    assert np.array_equal(draws(), whole)
