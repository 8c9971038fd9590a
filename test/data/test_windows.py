"""Long recordings are cut where they are quiet, and no sample is lost."""

import torch

from sure.data.windows import cut_at_pauses

RATE = 16000


def speech(*pauses, seconds=10.0):
    """Noise with 0.3 s of silence in the middle of each of `pauses`, in seconds."""
    wave = torch.randn(round(seconds * RATE), generator=torch.Generator().manual_seed(1))
    for pause in pauses:
        wave[round((pause - 0.15) * RATE) : round((pause + 0.15) * RATE)] = 0
    return wave


def cuts(wave, longest):
    parts = cut_at_pauses(wave, longest)
    assert parts[0].start == 0 and parts[-1].stop == len(wave)
    assert all(one.stop == other.start for one, other in zip(parts, parts[1:], strict=False))
    assert all(longest // 4 <= part.stop - part.start <= longest for part in parts) or len(parts) == 1
    return [part.stop / RATE for part in parts[:-1]]


def test_cuts_are_in_pauses():
    found = cuts(speech(1.0, 3.1, 6.5, 7.9), 4 * RATE)
    assert len(found) == 2
    assert abs(found[0] - 3.1) < 0.15 and abs(found[1] - 6.5) < 0.15  # neither 1.0, too early, nor inside noise


def test_short_recordings_are_whole():
    assert cut_at_pauses(speech(), 10 * RATE) == [slice(0, 10 * RATE)]
    assert cut_at_pauses(torch.zeros(0), RATE) == [slice(0, 0)]


def test_no_part_is_short():
    for extra in (1, 100, RATE // 2):  # a little longer than one part
        cuts(speech(seconds=4.0)[: 3 * RATE + extra], 3 * RATE)
    cuts(torch.zeros(100_001), 5_000)
