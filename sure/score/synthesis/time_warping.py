"""Dynamic time warping: which frame of one utterance goes with which of another."""

from __future__ import annotations

import numpy as np

STEPS = ((1, 1), (1, 0), (0, 1))


def warping_path(costs: np.ndarray) -> np.ndarray:
    """The path from the first pair of frames to the last with the least sum of costs.

    costs: (frames, other_frames), of every pair, both at least 1. -> (2, length): the frame on either side at each
    step. A step goes one frame further on one side or on both, all with the same weight (Sakoe and Chiba, IEEE TASSP
    1978, without a limit of slope). Among equal sums it goes on on both sides.
    """
    frames, others = costs.shape
    # Least sums up to each pair, (frame + other, frame), both counted from 1: a whole diagonal follows from the two
    # before it, so that only diagonals are a loop.
    sums = np.full((frames + others + 1, frames + 1), np.inf)
    sums[0, 0] = 0.0
    for both in range(2, frames + others + 1):
        at = np.arange(max(1, both - others), min(frames, both - 1) + 1)
        before = np.minimum(np.minimum(sums[both - 2, at - 1], sums[both - 1, at - 1]), sums[both - 1, at])
        sums[both, at] = costs[at - 1, both - at - 1] + before
    path, place = [], (frames, others)
    while min(place) > 0:
        path.append((place[0] - 1, place[1] - 1))
        earlier = [(place[0] - first, place[1] - second) for first, second in STEPS]
        place = min(earlier, key=lambda pair: sums[pair[0] + pair[1], pair[0]])
    return np.array(path[::-1], dtype=np.int64).T
