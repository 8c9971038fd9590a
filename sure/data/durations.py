"""Durations of phones in whole frames: made from what an aligner says, and checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sure.errors import SureError


def whole_frames(lengths: Sequence[float], frames: int) -> list[int]:
    """Frames of each phone, summing to `frames`, for lengths in any unit: each boundary goes to the nearest frame.

    Boundaries keep their order and their share of the whole, so no error adds up. Raises SureError where there is
    nothing to share out: no phone, a negative length, or only zeros.
    """
    ends = np.cumsum(np.asarray(lengths, dtype=np.float64))
    if not len(ends) or not ends[-1] > 0 or min(lengths) < 0 or not np.isfinite(ends[-1]):
        raise SureError(f"durations {list(lengths)[:10]} cannot be shared out over {frames} frames")
    boundaries = np.rint(ends / ends[-1] * frames).astype(int)
    return np.diff(boundaries, prepend=0).tolist()


def offenders(rows: Iterable[tuple[str, Sequence[int], int, int]]) -> list[str]:
    """A line for every (id, durations, phones, frames) whose durations are not one a phone, or do not sum to frames."""
    found = []
    for id, durations, phones, frames in rows:
        if len(durations) != phones:
            found.append(f"{id}: {len(durations)} durations of {phones} phones")
        elif min(durations, default=0) < 0:
            found.append(f"{id}: a negative duration")
        elif sum(durations) != frames:
            found.append(f"{id}: durations sum to {sum(durations)}, it has {frames} frames")
    return found
