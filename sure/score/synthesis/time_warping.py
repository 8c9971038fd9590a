"""Dynamic time warping: alignment of the frames of two utterances."""

from __future__ import annotations

import numpy as np

STEPS = ((1, 1), (1, 0), (0, 1))


def warping_path(costs: np.ndarray) -> np.ndarray:
    """The path from the first to the last pair of frames with the lowest sum of costs.

    costs: (frames, other_frames), both at least 1. Returns (2, length): the frame on each side at each step. A step
    advances one or both sides by one frame, with equal weights (Sakoe and Chiba, IEEE TASSP 1978, without a slope
    constraint). Among equal sums, the step that advances both sides is taken.
    """
    frames, others = costs.shape
    # Lowest sums up to each pair, stored by (frame + other, frame), counted from 1: each diagonal is computed at once
    # from the two diagonals before it.
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
