"""Confidence intervals by bootstrap over utterances (Bisani and Ney, ICASSP 2004)."""

from collections.abc import Callable, Sequence

import numpy as np

DRAWS = 1000
CELLS = 1 << 22  # counts in a block of draws, so that large test sets need about 100 MB


def bootstrap_interval(statistic: Callable[[np.ndarray], np.ndarray], utterances: int) -> list[float]:
    """95 % interval [low, high] of a statistic over test sets that are drawn with replacement from this test set.

    statistic: maps the counts of each utterance, (draws, utterances) float64, to values (draws,); NaN is left out.
    All calls have the same draws, so systems with one test set are compared on the same draws.
    """
    generator = np.random.default_rng(0)
    values = []
    block = max(1, CELLS // utterances)
    for first in range(0, DRAWS, block):
        counts = [
            np.bincount(generator.integers(utterances, size=utterances), minlength=utterances)
            for _ in range(min(block, DRAWS - first))
        ]
        values.append(statistic(np.stack(counts).astype(np.float64)))
    return np.nanpercentile(np.concatenate(values), [2.5, 97.5]).tolist()


def ratio_interval(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Interval of 100 * sum(numerators) / sum(denominators), for error rates and accuracies. Both: (utterances,)."""
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)

    def percent(counts: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):  # a draw with only empty references has no rate
            rates = 100.0 * (counts @ top) / (counts @ bottom)
        return np.where(np.isfinite(rates), rates, np.nan)

    return bootstrap_interval(percent, len(top))
