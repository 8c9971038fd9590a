"""Confidence intervals by bootstrap over utterances (Bisani and Ney, ICASSP 2004)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

DRAWS = 1000
CELLS = 1 << 22  # of a block of draws, so that large test sets stay within some 100 MB


def bootstrap_interval(
    statistic: Callable[[np.ndarray], np.ndarray], utterances: int, draws: int = DRAWS, seed: int = 0
) -> list[float]:
    """[low, high]: the middle 95 % of a statistic over test sets drawn with replacement from this one.

    statistic: how often each utterance was drawn, (draws, utterances) float64 -> (draws,), NaN: not defined.
    The same seed gives the same draws, so systems on one test set are compared on the same ones.
    """
    generator = np.random.default_rng(seed)
    values = []
    block = max(1, CELLS // utterances)
    for first in range(0, draws, block):
        counts = [
            np.bincount(generator.integers(utterances, size=utterances), minlength=utterances)
            for _ in range(min(block, draws - first))
        ]
        values.append(statistic(np.stack(counts).astype(np.float64)))
    low, high = np.nanpercentile(np.concatenate(values), [2.5, 97.5])
    return [float(low), float(high)]


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float], draws: int = DRAWS, seed: int = 0
) -> list[float]:
    """Interval of 100 * sum(numerators) / sum(denominators): error rates, accuracies. Both (utterances,)."""
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)

    def percent(counts: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):  # a draw of empty references alone has no rate
            rates = 100.0 * (counts @ top) / (counts @ bottom)
        return np.where(np.isfinite(rates), rates, np.nan)

    return bootstrap_interval(percent, len(top), draws, seed)
