"""Durations of phones in frames, from an aligner; the table `durations` of a data folder.

Alignments are TextGrids, as the Montreal Forced Aligner writes them, or CTM files with one phone per line, as
`sure.bin.align` writes them for a phone recogniser. Pause marks among the phones are the aligner's silence and may last
zero frames.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sure.data.synthesis.features import FRAMES
from sure.data.tables import read_table
from sure.data.textgrid import Interval
from sure.errors import SureError

FILE, PHONES = "durations", "phones"
SILENCES = {"", "sil", "sp", "spn", "<eps>"}  # labels of silence, by aligner
TOLERANCE = 0.1  # allowed length of an alignment after the end of its audio, in seconds


def whole_frames(lengths: Sequence[float], frames: int) -> list[int]:
    """Number of frames of each phone, proportional to `lengths` (in any unit), with the sum `frames`.

    Boundaries are rounded, not lengths, so errors do not accumulate. Each positive length gets one frame or more, while
    there are enough; it is taken from the longest phone. Raises SureError for no phones, a negative length or only
    zeros.
    """
    ends = np.cumsum(np.asarray(lengths, dtype=np.float64))
    if not len(ends) or not ends[-1] > 0 or min(lengths) < 0 or not np.isfinite(ends[-1]):
        raise SureError(f"durations {list(lengths)[:10]} cannot be scaled to {frames} frames")
    shares = np.diff(np.rint(ends / ends[-1] * frames).astype(int), prepend=0).tolist()
    for place, length in enumerate(lengths):
        if length > 0 and shares[place] == 0 and max(shares) > 1:
            shares[shares.index(max(shares))] -= 1
            shares[place] = 1
    return shares


def offenders(rows: Iterable[tuple[str, Sequence[int], int, int]]) -> list[str]:
    """A line for each (id, durations, phones, frames) with a wrong number or sum of durations."""
    found = []
    for id, durations, phones, frames in rows:
        if len(durations) != phones:
            found.append(f"{id}: {len(durations)} durations for {phones} phones")
        elif min(durations, default=0) < 0:
            found.append(f"{id}: a negative duration")
        elif sum(durations) != frames:
            found.append(f"{id}: durations sum to {sum(durations)}, but it has {frames} frames")
    return found


def aligned_durations(
    phones: Sequence[str], aligned: Sequence[Interval], pauses: set[str], start: float, step: float, frames: int
) -> list[int]:
    """Number of frames of each phone, from an alignment of the same phones (except stress and case); sum: `frames`.

    Silence is assigned to the first pause mark at its place; without one, half of it to each neighbour, or all of it to
    the only neighbour. aligned: times in seconds of the utterance; start: seconds that are cut before the first frame;
    step: seconds per frame. Raises SureError if the phones differ, or the alignment is longer than the audio.
    """
    sounds = [interval for interval in aligned if interval.label.lower() not in SILENCES]
    places = [place for place, phone in enumerate(phones) if phone not in pauses]
    ours, theirs = [_bare(phones[place]) for place in places], [_bare(interval.label) for interval in sounds]
    if ours != theirs:
        at = next((k for k, pair in enumerate(zip(ours, theirs, strict=False)) if len(set(pair)) > 1), None)
        where = f"{len(ours)} phones, {len(theirs)} aligned" if at is None else f"{ours[at]} is aligned as {theirs[at]}"
        raise SureError(f"the aligned phones differ: {where}")
    if not sounds:
        raise SureError("the alignment has no phones")
    if (late := (sounds[-1].end - start) / step - frames) * step > TOLERANCE:
        raise SureError(f"the alignment ends {late * step:.2f} s after the audio")
    durations = [0.0] * len(phones)
    before, last = 0.0, -1  # end of the previous phone, in frames, and its index
    after_all = Interval(math.inf, math.inf, "")
    for place, interval in zip([*places, len(phones)], [*sounds, after_all], strict=True):
        begin, end = (min(max((seconds - start) / step, before), frames) for seconds in interval[:2])
        neighbours = [each for each in (last, place) if 0 <= each < len(phones)]
        silent = [last + 1] if place - last > 1 else neighbours  # a pause mark is between two phones
        for each in silent:
            durations[each] += (begin - before) / len(silent)
        if interval is not after_all:
            durations[place] += end - begin
        before, last = end, place
    return whole_frames(durations, frames)


def _bare(phone: str) -> str:
    return phone.upper().lstrip("ˈˌ").rstrip("012")


def check_durations(folder: Path) -> list[str]:
    """Problems with the durations of a set, a line for each utterance. Raises SureError for a missing table."""
    tables = {}
    for name, entry in ((FRAMES, "features"), (PHONES, "phonemize"), (FILE, "durations")):
        table = read_table(folder / name, f"run python -m sure.bin.{entry}")
        tables[name] = {id: value.split() for id, value in table.items()}
    problems, rows = [], []
    for id in sorted(tables[PHONES].keys() | tables[FILE].keys()):
        if missing := [name for name, table in tables.items() if id not in table]:
            problems.append(f"{id}: not in {' and '.join(missing)}")
        elif not all(word.removeprefix("-").isdecimal() for word in tables[FILE][id]):
            problems.append(f"{id}: expected integers as durations, found {' '.join(tables[FILE][id])[:40]}")
        else:
            durations = [int(word) for word in tables[FILE][id]]
            rows.append((id, durations, len(tables[PHONES][id]), int(tables[FRAMES][id][0])))
    return sorted(problems + offenders(rows))
