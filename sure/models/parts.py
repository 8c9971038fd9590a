"""Results of long recordings, computed from the results of their parts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, islice
from typing import Any

from torch import Tensor

from sure import SAMPLE_RATE
from sure.data.windows import cut_at_pauses
from sure.text.timed_word import TimedWord

Merge = Callable[[Sequence[Any], Sequence[float]], Any]


def in_parts(
    compute: Callable[[Sequence[Tensor]], Sequence[Any]], waves: Sequence[Tensor], limit: int | None, merge: Merge
) -> list[Any]:
    """The result of each of the waves (samples,). Waves of more than `limit` samples are cut at pauses.

    compute: returns the results of waveforms. merge: returns the result of a recording, given the results of its parts
    and their durations in seconds.
    """
    cuts = [cut_at_pauses(wave, limit or len(wave)) for wave in waves]
    found = iter(compute([wave[part] for wave, cut in zip(waves, cuts, strict=True) for part in cut]))
    of_each = [list(islice(found, len(cut))) for cut in cuts]
    seconds = [[(part.stop - part.start) / SAMPLE_RATE for part in cut] for cut in cuts]
    return [merge(one, cut) if len(cut) > 1 else one[0] for one, cut in zip(of_each, seconds, strict=True)]


def in_sequence(parts: Sequence[Sequence[TimedWord]], seconds: Sequence[float]) -> list[TimedWord]:
    """The words of consecutive parts, with times from the start of the first one."""
    starts = accumulate(seconds[:-1], initial=0.0)
    pairs = zip(parts, starts, strict=True)
    return [replace(word, start=word.start + start) for words, start in pairs for word in words]
