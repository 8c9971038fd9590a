"""Kaldi-style data folders: reading and writing of the utterances of a set.

    wav.scp     id path                  the path runs to the end of the line and may contain spaces
    segments    id recording start end   optional, seconds; then wav.scp lists recordings
    text        id words...              optional
    utt2label   id label                 optional; or `id group=label group=label` for several output groups
    utt2spk     id speaker               optional
    utt2lang    id language              optional; such as es, where languages differ
    utt2dur     id seconds               written by `sure.data.validate`
    trials      id id target|nontarget   optional; pairs of utterances (sure.data.trials)

UTF-8, one space, sorted by id in C order. Relative audio paths are relative to the current directory.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from sure.data.ark import is_command
from sure.data.audio import audio_seconds
from sure.data.tables import (
    TABLES,
    Line,
    format_labels,
    format_table,
    id_problem,
    is_utf8,
    parse_labels,
    parse_seconds,
    parse_segment,
    read_unique,
)
from sure.data.trials import FILE as TRIALS
from sure.data.trials import Trial, format_trials, read_trials
from sure.errors import SureError
from sure.files import replace_file

REPAIR = "sure.bin.prepare repairs data folders"
# optional table -> its content in messages, and the value of an utterance, or None
OPTIONAL = {
    "text": ("text", lambda u: None if u.text is None else " ".join(u.text.split())),
    "utt2label": ("labels", lambda u: format_labels(u.labels) if u.labels else None),
    "utt2spk": ("speaker", lambda u: u.speaker),
    "utt2lang": ("language", lambda u: u.language),
}


@dataclass(frozen=True)
class Utterance:
    """One utterance: `audio` from `start` to `end` (seconds, None: the whole file), with its annotations.

    labels: {} without utt2label, {"label": x} for a single label, else one entry per output group.
    trials: those whose first utterance is this one: the other id, and whether both have the same speaker.
    """

    id: str
    audio: str
    start: float | None = None
    end: float | None = None
    seconds: float = 0.0
    text: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    speaker: str | None = None
    trials: tuple[tuple[str, bool], ...] = ()
    language: str | None = None  # of the speech


def read_data_dir(path: str | os.PathLike) -> list[Utterance]:
    """Read a data folder, sorted by id. Without utt2dur, each recording is decoded to find its length.

    Raises SureError naming file and line of any inconsistency; `sure.bin.prepare` repairs folders.
    """
    folder = Path(path)
    if not (folder / "wav.scp").is_file():
        raise SureError(f"{folder} is not a data folder (no wav.scp); run stage 2, sure.bin.prepare, first")
    present = [name for name in TABLES if (folder / name).is_file()]
    tables = {name: _read_unique(folder / name) if name in present else {} for name in TABLES}
    places = _read_places(folder, tables, "segments" in present)
    for name in set(present) - {"wav.scp", "segments"}:
        _same_ids(folder / name, tables[name], places)
        for line in tables[name].values():
            if not line.value:
                raise SureError(f"{folder / name}:{line.number}: no value after the id '{line.id}'; {REPAIR}")
            if name in ("utt2spk", "utt2lang") and " " in line.value:
                what = OPTIONAL[name][0]
                raise SureError(f"{folder / name}:{line.number}: expected one {what}, found '{line.value}'; {REPAIR}")
    if not places:
        raise SureError(f"{folder} has no utterances; run stage 2, prepare, again")
    labels = {id: parse_labels(folder / "utt2label", line) for id, line in tables["utt2label"].items()}
    _same_groups(folder / "utt2label", labels)
    trials: dict[str, list[tuple[str, bool]]] = {id: [] for id in places}
    for trial in read_trials(folder / TRIALS, places) if (folder / TRIALS).is_file() else []:
        trials[trial.first].append((trial.second, trial.target))
    utterances = []
    for id in sorted(places):
        audio, start, end = places[id]
        if "utt2dur" in present:
            seconds = parse_seconds(folder / "utt2dur", tables["utt2dur"][id], tables["utt2dur"][id].value)
        else:
            seconds = (audio_seconds(audio) if end is None else end) - (start or 0.0)
        text = tables["text"][id].value if "text" in present else None
        speaker = tables["utt2spk"][id].value if "utt2spk" in present else None
        language = tables["utt2lang"][id].value if "utt2lang" in present else None
        known = text, labels.get(id, {}), speaker, tuple(trials[id]), language
        utterances.append(Utterance(id, audio, start, end, seconds, *known))
    return utterances


def write_data_dir(path: str | os.PathLike, utterances: Iterable[Utterance]) -> Path:
    """Write a data folder from utterances in any order; tables of an earlier run that are not needed are deleted.

    `text`, `utt2label`, `utt2spk` and `utt2lang` are written if all utterances have them (some is an error); `trials`
    if any has one. `seconds` is not written, because validation measures it. An empty text is written, and validation
    reports it.
    Raises SureError for an id, label, text or path that a table cannot store, and for repeated ids.
    """
    folder, utterances = Path(path), sorted(utterances, key=lambda utterance: utterance.id)
    if not utterances:
        raise SureError(f"{folder}: there are no utterances to write")
    for earlier, utterance in pairwise([None, *utterances]):
        check_writable(str(folder), utterance)
        if earlier is not None and earlier.id == utterance.id:
            raise SureError(f"{folder}: the id '{utterance.id}' is given to two utterances; each needs its own id")
    tables: dict[str, list[tuple[str, str]]] = {}
    if any(u.start is not None or u.end is not None for u in utterances):
        recordings = _name_recordings(utterances)
        tables["wav.scp"] = sorted((id, audio) for audio, id in recordings.items())
        tables["segments"] = [(u.id, f"{recordings[u.audio]} {_span(u)}") for u in utterances]
    else:
        tables["wav.scp"] = [(u.id, u.audio) for u in utterances]
    for name, (what, value_of) in OPTIONAL.items():
        tables[name] = [(u.id, value_of(u)) for u in utterances if value_of(u) is not None]
        if 0 < len(tables[name]) < len(utterances):
            missing = next(u.id for u in utterances if value_of(u) is None)
            raise SureError(f"{folder}: some utterances have {what}, but '{missing}' has none")
    contents = {name: format_table(rows) for name, rows in tables.items()}
    contents[TRIALS] = format_trials(Trial(u.id, *trial) for u in utterances for trial in u.trials)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*TABLES, TRIALS):
        if contents.get(name):
            replace_file(folder / name, contents[name])
        else:
            (folder / name).unlink(missing_ok=True)
    return folder


def _read_unique(path: Path) -> dict[str, Line]:
    lines = read_unique(path)
    for line in lines.values():
        if problem := id_problem(line.id):
            raise SureError(f"{path}:{line.number}: the id '{line.id}' {problem}")
    return lines


def _read_places(folder: Path, tables: dict[str, dict[str, Line]], segmented: bool) -> dict[str, tuple]:
    """The audio path, start and end of each utterance id."""
    for line in tables["wav.scp"].values():
        if not line.value:
            raise SureError(f"{folder / 'wav.scp'}:{line.number}: '{line.id}' has no path; {REPAIR}")
        if is_command(line.value):
            raise SureError(
                f"{folder / 'wav.scp'}:{line.number}: '{line.value}' is a command; "
                "stage 2 with --allow_commands true (egs/TEMPLATE takes data folders) runs it and keeps the output"
            )
    if not segmented:
        return {id: (line.value, None, None) for id, line in tables["wav.scp"].items()}
    places = {}
    for id, line in tables["segments"].items():
        recording, start, end = parse_segment(folder / "segments", line)
        if recording not in tables["wav.scp"]:
            raise SureError(f"{folder / 'segments'}:{line.number}: the recording '{recording}' is not in wav.scp")
        places[id] = (tables["wav.scp"][recording].value, start, end)
    return places


def _same_ids(path: Path, table: dict[str, Line], places: dict[str, tuple]) -> None:
    for id, line in table.items():
        if id not in places:
            raise SureError(f"{path}:{line.number}: the utterance '{id}' has no audio; {REPAIR}")
    for id in places:
        if id not in table:
            raise SureError(f"{path}: no line for the utterance '{id}'; {REPAIR}")


def _same_groups(path: Path, labels: dict[str, dict[str, str]]) -> None:
    first = next(iter(labels), None)
    for id, groups in labels.items():
        if set(groups) != set(labels[first]):
            raise SureError(f"{path}: '{id}' has the groups {sorted(groups)}, '{first}' has {sorted(labels[first])}")


def check_writable(where: str, utterance: Utterance) -> None:
    """Raise SureError, which begins with `where`, for an id, label, speaker, path or text that a table cannot store."""
    labels = [text for pair in utterance.labels.items() for text in pair]
    words = [*labels, *(word for word in (utterance.speaker, utterance.language) if word is not None)]
    if problem := id_problem(utterance.id):
        raise SureError(f"{where}: the id '{utterance.id}' {problem}")
    for word in words:
        if word.split() != [word]:
            raise SureError(f"{where}: '{utterance.id}': a label, speaker or language must be one word, found '{word}'")
    if any("=" in group for group in utterance.labels) or "=" in utterance.labels.get("label", ""):
        raise SureError(f"{where}: '{utterance.id}': '=' separates group and label and cannot be part of them")
    if not utterance.audio.strip() or utterance.audio != utterance.audio.strip() or "\n" in utterance.audio:
        raise SureError(f"{where}: '{utterance.id}': unusable audio path {utterance.audio!r}")
    for content in (utterance.audio, utterance.text or "", *words):
        if not is_utf8(content):
            raise SureError(f"{where}: '{utterance.id}': {content!r} is not UTF-8, the encoding of tables; change it")


def _name_recordings(utterances: list[Utterance]) -> dict[str, str]:
    """The recording id of each audio path: the file's name, with a number if two folders have the same name."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for audio in sorted({utterance.audio for utterance in utterances}):
        stem = "_".join(Path(audio).stem.split())
        name, count = stem, 1
        while id_problem(name) or name in taken:
            count += 1
            name = f"{stem}_{count}" if id_problem(name) is None else f"recording_{count}"
        names[audio] = name
        taken.add(name)
    return names


def _span(utterance: Utterance) -> str:
    end = -1 if utterance.end is None else utterance.end
    return f"{utterance.start or 0.0:.10g} {end:.10g}"
