"""Long recordings in parts, cut where they are quiet."""

import torch
from torch import Tensor

from sure.data.audio import SAMPLE_RATE

STEP = SAMPLE_RATE // 100  # samples
PAUSE = 0.2  # s over which loudness is measured: longer than the closure of a stop consonant


def cut_at_pauses(wave: Tensor, longest: int) -> list[slice]:
    """Consecutive parts of wave (samples,), each of at most `longest` samples and at least a quarter of that.

    A recording of at most `longest` samples is one part. A part ends at the quietest place of its second half.
    """
    parts, start, end = [], 0, len(wave)
    while end - start > longest:
        first, last = start + longest // 2, min(start + longest, end - longest // 4)
        cut = first + _quietest(wave[first:last])
        parts.append(slice(start, cut))
        start = cut
    return [*parts, slice(start, end)]


def _quietest(wave: Tensor) -> int:
    """The middle of the quietest PAUSE in wave (samples,); of equal ones the one in their middle."""
    power = (
        wave[: len(wave) // STEP * STEP].unflatten(0, (-1, STEP)).square().mean(1) if len(wave) >= STEP else wave[:0]
    )
    width = round(PAUSE * SAMPLE_RATE / STEP)
    if len(power) <= width:
        return len(wave) - 1
    loudness = power.unfold(0, width, 1).mean(1)
    places = torch.nonzero(loudness == loudness.min())
    place = int(places[len(places) // 2])
    return (place + width // 2) * STEP
