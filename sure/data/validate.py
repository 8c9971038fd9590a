"""Validation of a prepared data folder: decode all audio, repair the tables, and report all problems.

Order, spacing, byte order marks and repeated identical lines are corrected. Utterances that cannot be repaired are
removed and reported, with their trials. The previous versions of changed tables are kept in `.backup/`.
"""

import os
import shutil
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import shorten

from sure.data.audio import SAMPLE_RATE, SEGMENT_TOLERANCE, AudioError, audio_file
from sure.data.commands import find_commands, run_command
from sure.data.limits import Limits, length_problem, text_problem
from sure.data.measure import SILENT, Measured, Span, measure
from sure.data.tables import PER_UTTERANCE, Line, format_table, id_problem, parse_labels, parse_segment, read_lines
from sure.data.trials import FILE as TRIALS
from sure.data.trials import format_trials, read_trials
from sure.data.validation_report import BACKUP, REPORT, Report
from sure.errors import SureError, counted, some_of
from sure.files import replace_file
from sure.progress import progress_bar
from sure.recipe.inputs import DIGESTS, STATES, Recording, recording_tables

POLICIES = ("stop", "skip")
DEFAULT = Limits()


def validate_data_dir(
    path: str | os.PathLike,
    on_bad_utterance: str = "stop",
    allow_commands: bool = False,
    nj: int | None = None,
    limits: Limits = DEFAULT,
    known: frozenset[str] = frozenset(),
) -> Report:
    """Validate and repair a data folder; write `utt2dur` and `validation.txt`. Correct tables are not changed.

    With `skip`, bad utterances are removed; with `stop`, they are an error before anything is written. Bad are: ids
    with two different lines, ids that cannot be file names; missing, empty, truncated, unreadable or non-finite audio,
    or audio with a rate or number of channels that speech does not have; malformed segments and segments past the end;
    lengths outside `limits`; texts that cannot match the audio (sure.data.limits) or whose audio is silent; utterances
    without text, label or speaker where others have one, and such lines without audio. Rates other than 16 kHz, which
    are resampled later, and silence without a text are noted.

    Commands in wav.scp (`sox x.sph -t wav - |`) are refused unless `allow_commands`. Then the shell runs each command
    once; the output is stored in `audio/` and named in wav.scp, so that later stages run no commands.

    Raises SureError if no utterance or fewer than `limits` allow would remain, for an error in `trials`, and with
    `stop` for any problem; the folder is then unchanged, except `validation.txt`, which lists all problems.
    nj: threads, by default one per processor. known: letters of the training texts, for the other sets.
    """
    if on_bad_utterance not in POLICIES:
        raise SureError(f"on_bad_utterance: expected one of {', '.join(POLICIES)}, found '{on_bad_utterance}'")
    check = _Check(Path(path), limits)
    try:
        check.run_commands(allow_commands)
        check.find_problems(nj, known)
        check.stop_if(on_bad_utterance == "stop")
        check.write()
    finally:
        shutil.rmtree(check.outputs, ignore_errors=True)
    return check.report


def inspect_data_dir(path: str | os.PathLike) -> tuple[Report, dict[str, float]]:
    """The report of `validate_data_dir`, and the seconds of each id that it would keep; nothing is written.

    Raises SureError if it is not a data folder, and for commands in wav.scp and errors in `trials`.
    """
    check = _Check(Path(path), DEFAULT)
    find_commands(check.folder / "wav.scp", check.wavs, allowed=False)
    check.find_problems()
    return check.report, check.durations


class _Check:
    """State of one validation: the tables, the ids that are still good, and the report."""

    def __init__(self, folder: Path, limits: Limits):
        if not (folder / "wav.scp").is_file():
            raise SureError(f"{folder} is not a data folder: it has no wav.scp")
        self.folder = folder
        self.limits = limits
        self.report = Report(folder)
        names = [name for name in ("wav.scp", "segments", *PER_UTTERANCE) if (folder / name).is_file()]
        self.tables = {name: self._unique_lines(folder / name) for name in names}
        self.wavs = self.tables["wav.scp"]
        self.listing = "segments" if "segments" in names else "wav.scp"  # name of the table that lists the utterances
        self.utterances = self.tables[self.listing]
        self.good = set(self.utterances)
        ids = {*self.utterances, *(problem.id for problem in self.report.removed)}
        self.trials = read_trials(folder / TRIALS, ids) if (folder / TRIALS).is_file() else []
        for id in [id for id, line in self.wavs.items() if not line.value]:
            self._drop(id, "no path", f"wav.scp:{self.wavs.pop(id).number}")
        self.durations: dict[str, float] = {}
        self.spans: dict[str, list[Span]] = {}
        self.recordings: dict[str, Recording] = {}
        self.outputs = folder / "audio.part"
        self.command_outputs: dict[str, Path] = {}

    def _unique_lines(self, path: Path) -> dict[str, Line]:
        """The line of each id. Identical repetitions count once; ids with different lines are removed."""
        lines: dict[str, Line] = {}
        contradicting = set()
        for line in read_lines(path):
            where = f"{path.name}:{line.number}"
            if problem := id_problem(line.id):
                self.report.remove(line.id, "unusable id", f"{where}, {problem}")
            elif lines.setdefault(line.id, line).value != line.value:
                contradicting.add(line.id)
                self.report.remove(line.id, "duplicate id", f"{where}, also line {lines[line.id].number}")
        return {id: line for id, line in lines.items() if id not in contradicting}

    def run_commands(self, allowed: bool) -> None:
        commands = find_commands(self.folder / "wav.scp", self.wavs, allowed)
        shutil.rmtree(self.outputs, ignore_errors=True)
        for id, line in commands.items():
            self.outputs.mkdir(exist_ok=True)
            output = self.outputs / f"{id}.wav"
            if failure := run_command(line.value, output):
                self._drop(id, "command failed", f"wav.scp:{line.number}, {failure}")
                del self.wavs[id]
            else:
                self.command_outputs[id] = output

    def find_problems(self, nj: int | None = None, known: frozenset[str] = frozenset()) -> None:
        self._compare_tables()
        if "utt2label" in self.tables:
            self._compare_labels(self.tables["utt2label"])
        self._measure(nj or os.cpu_count() or 1)
        self._check_texts(known)

    def _compare_tables(self) -> None:
        """Check that each utterance has a line in each existing table, and each line an utterance."""
        reported = {problem.id for problem in self.report.removed}
        for name, table in self.tables.items():
            if name not in PER_UTTERANCE:
                continue
            for id, line in table.items():
                if id not in self.utterances and id not in reported:
                    self.report.remove(id, f"{name} without audio", f"{name}:{line.number}")
                elif not line.value:
                    self._drop(id, f"empty {name}", f"{name}:{line.number}")
                elif name in ("utt2spk", "utt2lang") and " " in line.value:
                    what = "speaker" if name == "utt2spk" else "language"
                    self._drop(id, f"{what} of several words", f"{name}:{line.number}")
            for id in self.utterances.keys() - table.keys():
                self.good.discard(id)
                if id not in reported:
                    self.report.remove(id, f"no line in {name}", f"{self.listing}:{self.utterances[id].number}")

    def _compare_labels(self, table: dict[str, Line]) -> None:
        """Check that all utterances have labels of the same groups, those of most utterances."""
        groups = {}
        for id in sorted(self.good):
            try:
                groups[id] = tuple(sorted(parse_labels(self.folder / "utt2label", table[id])))
            except SureError as error:
                self._drop(id, "unreadable label", str(error))
        usual = Counter(groups.values()).most_common(1)
        for id, names in groups.items():
            if names != usual[0][0]:
                self._drop(id, f"label groups other than {' '.join(usual[0][0])}", f"utt2label:{table[id].number}")

    def _drop(self, id: str, reason: str, where: str) -> None:
        self.good.discard(id)
        self.report.remove(id, reason, where)

    def _measure(self, nj: int) -> None:
        """Decode each recording once, and store the duration of each utterance with usable audio."""
        spans = self.spans = self._spans()
        rates: Counter[int] = Counter()
        noted: dict[str, list[str]] = defaultdict(list)
        with ThreadPoolExecutor(nj) as pool:  # threads suffice, because decoders release the interpreter lock
            results = progress_bar(pool.map(self._decode, spans), str(self.folder), len(spans), unit="recording")
            for recording, result in zip(spans, results, strict=True):
                if isinstance(result, AudioError):
                    where = ", ".join(filter(None, (self.wavs[recording].value, result.detail)))
                    for id, *_ in spans[recording]:
                        self._drop(id, result.reason, where)
                    continue
                rates[result.rate] += 1
                self.recordings[recording] = result.file
                if result.note:
                    noted[result.note].append(recording)
                for id, start, end in spans[recording]:
                    self._set_duration(id, start, result.seconds if end is None else end, result.seconds)
                    if id in self.durations:
                        self.report.contents[id] = result.contents[id]
        if others := [f"{count} at {rate} Hz" for rate, count in sorted(rates.items()) if rate != SAMPLE_RATE]:
            self.report.notes.append(f"resampled to {SAMPLE_RATE} Hz when read: {', '.join(others)}")
        for problem, recordings in noted.items():
            self.report.notes.append(f"{problem} ({len(recordings):,}): {some_of(recordings)}")

    def _spans(self) -> dict[str, list[Span]]:
        """The good utterances, by recording."""
        if self.listing == "wav.scp":
            return {id: [(id, 0.0, None)] for id in sorted(self.good)}
        spans = defaultdict(list)
        for id in sorted(self.good):
            line = self.utterances[id]
            try:
                recording, start, end = parse_segment(self.folder / "segments", line)
            except SureError as error:
                self._drop(id, "unusable segment", str(error))
                continue
            if recording in self.wavs:
                spans[recording].append((id, start, end))
            else:
                self._drop(id, "segment without a recording", f"segments:{line.number}, {recording}")
        return spans

    def _decode(self, recording: str) -> Measured | AudioError:
        file = str(self.command_outputs.get(recording, self.wavs[recording].value))
        return measure(file, self.spans[recording], self.listing == "segments")

    def _set_duration(self, id: str, start: float, end: float, seconds: float) -> None:
        length = min(end, seconds) - start
        if end > seconds + SEGMENT_TOLERANCE or start >= seconds:
            where = f"segments:{self.utterances[id].number}, the recording has {seconds:.3f} s"
            self._drop(id, "segment past the end", where)
        elif problem := length_problem(length, self.limits.min_seconds, self.limits.max_seconds):
            self._drop(id, problem, f"{length:.6g} s")
        else:
            self.durations[id] = length

    def _check_texts(self, known: frozenset[str]) -> None:
        """Check that each text fits its audio, which is not silent. Silence without a text may be meant, as a label."""
        silent = {id for id, content in self.report.contents.items() if content == SILENT}
        for id, line in self.tables.get("text", {}).items():
            if id not in self.durations:
                continue
            problem = text_problem(line.value, self.durations[id], known)
            if problem or id in silent:
                where = f"text:{line.number}, {self.durations[id]:.2f} s: {shorten(line.value, 60, placeholder=' ...')}"
                self._drop(id, problem or "silent audio with a text", where)
                del self.durations[id], self.report.contents[id]
        if silent and "text" not in self.tables:
            self.report.notes.append(f"{len(silent)} silent, as all samples are equal: {some_of(sorted(silent))}")

    def stop_if(self, any_problem: bool) -> None:
        """Raise SureError for any problem, or for more bad utterances than `limits` allow."""
        bad = {problem.id for problem in self.report.removed}
        percent = 100 * len(bad) / max(1, len(bad | self.durations.keys()))
        if bad and any_problem:
            why = "repair them, or leave them out with --on_bad_utterance skip"
        elif not self.durations:
            why = "nothing usable remains"
        elif percent > self.limits.max_bad_percent:
            why = (
                f"{percent:.0f} % of the utterances cannot be used, more than --max_bad_percent "
                f"{self.limits.max_bad_percent:g}; is it the right corpus, and complete?"
            )
        else:
            return
        self._write_file(REPORT, str(self.report))
        heading = f"{self.folder}: unusable utterances: {len(self.report.removed)}; no table was changed; {why}:"
        raise SureError("\n".join([heading, *self.report.problems(), f"  complete list: {self.folder / REPORT}"]))

    def write(self) -> None:
        """Write the tables of the remaining utterances, and the report. The output of commands goes to `audio/`."""
        self.report.utterances, self.report.seconds = len(self.durations), sum(self.durations.values())
        rows = {
            name: {id: line.value for id, line in table.items() if id in self.durations}
            for name, table in self.tables.items()
        }
        if self.listing == "segments":
            used = {value.split()[0] for value in rows["segments"].values()}
            rows["wav.scp"] = {id: line.value for id, line in self.wavs.items() if id in used}
            if unused := len(self.wavs) - len(used):
                self.report.notes.append(f"left out: {counted(unused, 'recording')} without a usable segment")
        if self.command_outputs:
            (self.folder / "audio").mkdir(exist_ok=True)
            self.report.notes.append(f"{counted(len(self.command_outputs), 'command')} run; output in audio/")
        for id in rows["wav.scp"].keys() & self.command_outputs.keys():
            rows["wav.scp"][id] = str(self.command_outputs[id].replace(self.folder / "audio" / f"{id}.wav"))
        rows["utt2dur"] = {id: f"{seconds:.4f}" for id, seconds in self.durations.items()}
        texts = {name: format_table(sorted(table.items())) for name, table in rows.items()}
        texts |= recording_tables({str(audio_file(at)): self.recordings[id] for id, at in rows["wav.scp"].items()})
        kept = [trial for trial in self.trials if {trial.first, trial.second} <= self.durations.keys()]
        if left_out := len(self.trials) - len(kept):
            self.report.notes.append(f"{left_out} of {len(self.trials)} trials of removed utterances were left out")
            texts[TRIALS] = format_trials(kept)
        for name, text in {**texts, REPORT: str(self.report)}.items():
            self._write_file(name, text)

    def _write_file(self, name: str, text: str) -> None:
        """Write a file unless it has this content. The previous version of a table goes to `.backup/`."""
        path = self.folder / name
        if path.is_file():
            if path.read_bytes() == text.encode():
                return
            if name not in ("utt2dur", DIGESTS, STATES, REPORT):
                (self.folder / BACKUP).mkdir(exist_ok=True)
                shutil.copy2(path, self.folder / BACKUP / name)
        replace_file(path, text)
