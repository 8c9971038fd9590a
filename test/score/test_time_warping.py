"""Alignments compared with librosa and with a plain loop over all cells."""

import librosa
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sure.score.synthesis.time_warping import warping_path

SHAPES = [(1, 1), (1, 6), (5, 1), (2, 2), (30, 41), (120, 80)]


def minimal_sum(costs):
    sums = np.full((costs.shape[0] + 1, costs.shape[1] + 1), np.inf)
    sums[0, 0] = 0
    for row in range(costs.shape[0]):
        for column in range(costs.shape[1]):
            before = min(sums[row, column], sums[row, column + 1], sums[row + 1, column])
            sums[row + 1, column + 1] = costs[row, column] + before
    return sums[-1, -1]


@pytest.mark.parametrize("shape", SHAPES)
def test_path_equals_librosa(shape):
    costs = np.random.default_rng(shape[0]).random(shape)
    _, path = librosa.sequence.dtw(C=costs)
    assert np.array_equal(warping_path(costs), path[::-1].T)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("levels", [2, None])  # 2 levels give ties everywhere
def test_path_is_complete_and_its_sum_minimal(shape, levels):
    costs = np.random.default_rng(1).random(shape)
    costs = costs if levels is None else np.floor(costs * levels)
    path = warping_path(costs)
    assert path[:, 0].tolist() == [0, 0] and path[:, -1].tolist() == [shape[0] - 1, shape[1] - 1]
    assert {tuple(step) for step in np.diff(path).T} <= {(1, 1), (1, 0), (0, 1)}
    assert costs[path[0], path[1]].sum() == pytest.approx(minimal_sum(costs))


def test_slower_speech_is_aligned():
    frames = np.random.default_rng(2).normal(size=(20, 3))
    times = np.random.default_rng(3).integers(1, 5, size=20)
    path = warping_path(cdist(frames, np.repeat(frames, times, axis=0)))
    assert np.array_equal(path[0], np.repeat(np.arange(20), times))


def test_ties_advance_both_sides():
    assert warping_path(np.zeros((3, 3))).tolist() == [[0, 1, 2], [0, 1, 2]]
