"""Durations of phones from an aligner's TextGrids or CTM files, in the table `durations` of each set; or their check.

Utterances whose alignment does not fit are listed in `durations_offenders.txt` of the set; then nothing else is
written, unless they are left out with --on_bad_utterance skip.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from sure.data.synthesis.acoustic import AcousticConfig
from sure.data.synthesis.durations import FILE, PHONES, aligned_durations
from sure.data.synthesis.features import FRAMES, STARTS
from sure.data.tables import format_table, read_lines
from sure.data.textgrid import Interval, read_tier
from sure.errors import SureError
from sure.files import replace_file
from sure.text.phonemize import PAUSES

OFFENDERS = "durations_offenders.txt"
SHOWN = 10  # offenders in an error

Aligned = Callable[[str], "list[Interval]"]  # of an utterance's id


def write_durations(folder: Path, aligned: Aligned, config: AcousticConfig, on_bad_utterance: str) -> str:
    """Write the durations of a set; what was written, in words. Raises SureError listing what does not fit."""
    frames, starts, phones = (_table(folder / name) for name in (FRAMES, STARTS, PHONES))
    rows, problems = [], []
    for id, spoken in phones.items():
        try:
            step = config.hop_size / config.sample_rate
            place = float(starts[id]), step, int(frames[id])
            rows.append((id, " ".join(map(str, aligned_durations(spoken.split(), aligned(id), PAUSES, *place)))))
        except SureError as error:
            problems.append(f"{id}: {error}")
    replace_file(folder / OFFENDERS, "".join(f"{line}\n" for line in problems))
    if problems and (on_bad_utterance == "stop" or not rows):
        raise SureError(f"{_listed(folder, problems)}; all of them: {folder / OFFENDERS}")
    if problems:
        kept = {id for id, _ in rows}
        replace_file(folder / PHONES, format_table((id, spoken) for id, spoken in phones.items() if id in kept))
    replace_file(folder / FILE, format_table(rows))
    left_out = f", {len(problems)} left out: {folder / OFFENDERS}" * bool(problems)
    return f"{folder / FILE}: {len(rows):,} utterances{left_out}"


def from_textgrids(folder: Path) -> Aligned:
    """Raises SureError when there are none, and later for an utterance without one."""
    files = {path.stem: path for path in sorted(folder.rglob("*.TextGrid"))}
    if not files:
        raise SureError(f"{folder}: no file <id>.TextGrid below; the Montreal Forced Aligner's output goes there")

    def aligned(id: str) -> list[Interval]:
        if id not in files:
            raise SureError(f"no {id}.TextGrid below {folder}")
        return read_tier(files[id], "phones")

    return aligned


def from_ctm(paths: Sequence[str]) -> Aligned:
    """Raises SureError naming a line that is none, and later for an utterance without lines."""
    found: dict[str, list[Interval]] = defaultdict(list)
    for path in map(Path, paths):
        for line in read_lines(path):
            words = line.value.split()
            try:
                start, length = float(words[1]), float(words[2])
                found[line.id].append(Interval(start, start + length, words[3]))
            except (IndexError, ValueError):
                raise SureError(f"{path}:{line.number}: expected `id channel start duration phone`") from None

    def aligned(id: str) -> list[Interval]:
        if id not in found:
            raise SureError(f"no lines in {' '.join(paths)}")
        return found[id]

    return aligned


def _table(path: Path) -> dict[str, str]:
    if not path.is_file():
        maker = "phonemize" if path.name == PHONES else "features"
        raise SureError(f"{path} is not there; python -m sure.bin.{maker} makes it")
    return {line.id: line.value for line in read_lines(path)}


def _listed(folder: Path, problems: Sequence[str]) -> str:
    rest = f" ... and {len(problems) - SHOWN} more" * (len(problems) > SHOWN)
    lines = "".join(f"\n  {line}" for line in problems[:SHOWN])
    return f"{folder}: durations of {len(problems)} utterances do not fit:{lines}{rest}"
