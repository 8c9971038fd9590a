"""Durations from outside: the table `durations`, for each phone of an utterance how many frames it lasts.

They come from alignments of others: TextGrids as the Montreal Forced Aligner writes them, or CTM files with a phone on
each line, as `sure.bin.align` writes them for a model of phones. Pause marks among the phones are what aligners call
silence, and may last no frame at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sure.data.synthesis.features import FRAMES
from sure.data.tables import read_lines
from sure.data.textgrid import Interval
from sure.errors import SureError

FILE, PHONES = "durations", "phones"
SILENCES = {"", "sil", "sp", "spn", "<eps>"}  # in the spellings of aligners
TOLERANCE = 0.1  # seconds by which an alignment may be longer than its audio


def whole_frames(lengths: Sequence[float], frames: int) -> list[int]:
    """Frames of each phone in proportion to `lengths` (any unit); they sum to `frames`.

    Boundaries are rounded, not lengths, so no error adds up. What lasts at all keeps a frame, taken from the longest,
    as long as there are enough. Raises SureError where there is nothing to share out: no phone, a negative length,
    only zeros.
    """
    ends = np.cumsum(np.asarray(lengths, dtype=np.float64))
    if not len(ends) or not ends[-1] > 0 or min(lengths) < 0 or not np.isfinite(ends[-1]):
        raise SureError(f"durations {list(lengths)[:10]} cannot be shared out over {frames} frames")
    shares = np.diff(np.rint(ends / ends[-1] * frames).astype(int), prepend=0).tolist()
    for place, length in enumerate(lengths):
        if length > 0 and shares[place] == 0 and max(shares) > 1:
            shares[shares.index(max(shares))] -= 1
            shares[place] = 1
    return shares


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


def aligned_durations(
    phones: Sequence[str], aligned: Sequence[Interval], pauses: set[str], start: float, step: float, frames: int
) -> list[int]:
    """The frames of each phone by an alignment of the same phones, stress and case aside; they sum to `frames`.

    Silence goes to the first pause mark at its place; where there is none, half of it to each neighbour, or all of it
    to the one there is. aligned: in seconds of the utterance; start: seconds that are cut before the first frame; step:
    seconds of a frame. Raises SureError when the phones differ, or the alignment is longer than the audio.
    """
    spoken = [interval for interval in aligned if interval.label.lower() not in SILENCES]
    places = [place for place, phone in enumerate(phones) if phone not in pauses]
    ours, theirs = [_bare(phones[place]) for place in places], [_bare(interval.label) for interval in spoken]
    if ours != theirs:
        at = next((k for k, pair in enumerate(zip(ours, theirs, strict=False)) if len(set(pair)) > 1), None)
        where = f"{len(ours)} phones, {len(theirs)} aligned" if at is None else f"{ours[at]} is aligned as {theirs[at]}"
        raise SureError(f"the alignment is of other phones: {where}")
    if not spoken:
        raise SureError("the alignment has no phones")
    if (late := (spoken[-1].end - start) / step - frames) * step > TOLERANCE:
        raise SureError(f"the alignment ends {late * step:.2f} s after the audio")
    durations = [0.0] * len(phones)
    before, last = 0.0, -1  # the end of the phone before, in frames, and its place
    for place, interval in zip([*places, len(phones)], [*spoken, None], strict=True):
        begin, end = (frames, frames) if interval is None else (
            min(max((seconds - start) / step, before), frames) for seconds in interval[:2]
        )  # fmt: skip
        if place - last > 1:
            durations[last + 1] += begin - before
        elif interval is None:
            durations[last] += begin - before
        elif last < 0:
            durations[place] += begin - before
        else:
            durations[last] += (begin - before) / 2
            durations[place] += (begin - before) / 2
        if interval is not None:
            durations[place] += end - begin
        before, last = end, place
    return whole_frames(durations, frames)


def _bare(phone: str) -> str:
    return phone.upper().lstrip("ˈˌ").rstrip("012")


def check_durations(folder: Path) -> list[str]:
    """What is wrong with the durations of a set, a line for each utterance that offends. Raises SureError for a table
    that is not there."""
    tables = {}
    for name, maker in ((FRAMES, "features"), (PHONES, "phonemize"), (FILE, "durations")):
        if not (folder / name).is_file():
            raise SureError(f"{folder / name} is not there; python -m sure.bin.{maker} makes it")
        tables[name] = {line.id: line.value.split() for line in read_lines(folder / name)}
    problems, rows = [], []
    for id in sorted(tables[PHONES].keys() | tables[FILE].keys()):
        missing = [name for name, table in tables.items() if id not in table]
        if missing:
            problems.append(f"{id}: not in {' and '.join(missing)}")
        elif not all(word.removeprefix("-").isdecimal() for word in tables[FILE][id]):
            problems.append(f"{id}: durations are whole numbers, found {' '.join(tables[FILE][id])[:40]}")
        else:
            durations = [int(word) for word in tables[FILE][id]]
            rows.append((id, durations, len(tables[PHONES][id]), int(tables[FRAMES][id][0])))
    return sorted(problems + offenders(rows))
