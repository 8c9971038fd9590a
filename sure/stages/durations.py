"""Durations of phones, from an aligner's TextGrid or CTM files, in the table `durations` of each set."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sure.config import Config
from sure.data.synthesis.acoustic import AcousticConfig
from sure.data.synthesis.durations import FILE, PHONES, aligned_durations, check_durations
from sure.data.synthesis.features import FRAMES, STARTS
from sure.data.tables import format_table, read_lines, read_table
from sure.data.textgrid import Interval, read_tier
from sure.errors import SureError, counted, some_lines
from sure.files import replace_file
from sure.text.phonemize import PAUSES

OFFENDERS = "durations_offenders.txt"

Aligned = Callable[[str], list[Interval]]  # utterance id -> phones with their times


def make_durations(
    config: Config, textgrids: Path | None, ctm: Sequence[str] | None, on_bad_utterance: str
) -> Iterator[str]:
    """Write the durations of all sets from one of the two sources, unless both are None; check them; yield lines."""
    folders = list(map(Path, config.data.sets().values()))
    if textgrids or ctm:
        aligned = _from_textgrids(textgrids) if textgrids else _from_ctm(ctm)
        for folder in folders:
            yield _write(folder, aligned, config.acoustic, on_bad_utterance)
    for folder in folders:
        if problems := check_durations(folder):
            raise SureError(_listed(folder, problems))
    yield f"durations fit in {', '.join(map(str, folders))}"


def _write(folder: Path, aligned: Aligned, config: AcousticConfig, on_bad_utterance: str) -> str:
    """Write the durations of a set; returns a line to print. Raises SureError listing alignments that do not fit."""
    phones = read_table(folder / PHONES, "run python -m sure.bin.phonemize, which writes it")
    frames, starts = (read_table(folder / name, "run python -m sure.bin.features") for name in (FRAMES, STARTS))
    step = config.hop_size / config.sample_rate
    rows, problems = {}, []
    for id, symbols in phones.items():
        try:
            place = float(starts[id]), step, int(frames[id])
            rows[id] = " ".join(map(str, aligned_durations(symbols.split(), aligned(id), PAUSES, *place)))
        except SureError as error:
            problems.append(f"{id}: {error}")
    replace_file(folder / OFFENDERS, "".join(f"{line}\n" for line in problems))
    if problems and (on_bad_utterance == "stop" or not rows):
        raise SureError(f"{_listed(folder, problems)}\nall of them: {folder / OFFENDERS}")
    if problems:
        replace_file(folder / PHONES, format_table((id, phones[id]) for id in rows))
    replace_file(folder / FILE, format_table(rows.items()))
    left_out = f", {len(problems)} left out: {folder / OFFENDERS}" * bool(problems)
    return f"{folder / FILE}: {counted(len(rows), 'utterance')}{left_out}"


def _from_textgrids(folder: Path) -> Aligned:
    """The alignments in <id>.TextGrid files below a folder. Raises SureError where it, or an utterance, has none."""
    files = {path.stem: path for path in sorted(folder.rglob("*.TextGrid"))}
    if not files:
        raise SureError(f"{folder} has no file <id>.TextGrid; pass the output folder of the Montreal Forced Aligner")

    def aligned(id: str) -> list[Interval]:
        if id not in files:
            raise SureError(f"no {id}.TextGrid below {folder}")
        return read_tier(files[id], "phones")

    return aligned


def _from_ctm(paths: Sequence[str]) -> Aligned:
    """The alignments in CTM files. Raises SureError naming a malformed line, or for an utterance without lines."""
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


def _listed(folder: Path, problems: Sequence[str]) -> str:
    return f"{folder}: durations of {len(problems)} utterances do not fit:{some_lines(problems, 10)}"
