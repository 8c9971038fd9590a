"""Data folders from one language of VoxPopuli; README.md describes the corpus and the decisions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from sure.corpus.csv_tables import read_csv
from sure.corpus.selection import SETS, Selection
from sure.corpus.texts import one_word
from sure.corpus.walk import files_below
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.normalize import normalize

LANGUAGES = ("en", "de", "fr", "es", "pl", "it", "ro", "hu", "cs", "nl", "fi", "hr", "sk", "sl", "et", "lt")
SUFFIXES = (".ogg", ".wav", ".flac", ".mp3")
NUMBER = r"(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
PIECE = re.compile(rf"[(\[]\s*{NUMBER}\s*,\s*{NUMBER}")  # of voice: start and end; more numbers may follow
UNKNOWN = ("", "None", "none", "nan")


class Row(NamedTuple):
    """A speech. `start` and `end` are seconds in the session's recording, None if the list has no times."""

    id: str
    session: str
    text: str
    speaker: str
    subset: str
    start: float | None
    end: float | None


def prepare(corpus: str | Path, out: str | Path, lang: Literal[LANGUAGES] = "en") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` of a language, and return them.

    Raises SureError for a missing or unreadable list.
    """
    files = list(files_below(Path(corpus).absolute()))
    recordings = {path.stem.replace(":", "_"): path for path in files if path.suffix.lower() in SUFFIXES}
    selection = Selection(f"voxpopuli asr ({lang})")
    seen: set[str] = set()
    for row in read_rows(find_lists(files, lang, Path(corpus)), lang):
        place = find_audio(row, lang, recordings)
        text, problem = transcript(row, lang)
        if row.id in seen:
            selection.leave_out(row.id, "rows that repeat an id")
        elif row.subset not in SETS:
            selection.leave_out(row.id, "rows of no set")
        elif problem or place is None:
            selection.leave_out(row.id, problem or "rows without a recording")
        else:
            selection.take(row.subset, Utterance(row.id, *place, text=text, speaker=row.speaker, language=lang))
        seen.add(row.id)
    names = {id.replace(":", "_") for id in seen}
    for name, path in sorted(recordings.items()):
        if f"-{lang}_" in name and name not in names:
            selection.leave_out(str(path), "cut recordings without a row")
    return selection.write(Path(out))


def find_lists(files: list[Path], lang: str, corpus: Path) -> list[Path]:
    """The publisher's list of a language, `asr_en.tsv.gz`, or the lists that its program writes when it cuts."""
    for name in (f"asr_{lang}.tsv.gz", f"asr_{lang}.tsv"):
        if whole := [path for path in files if path.name == name]:
            return whole[:1]
    names = [f"asr_{subset}.tsv" for subset in SETS]
    folders = sorted({path.parent for path in files if path.name == names[0]})
    for folder in folders:
        if folder.name == lang or (folder == corpus.absolute() and folder.name not in LANGUAGES):
            if missing := [name for name in names if not (folder / name).is_file()]:
                raise SureError(f"{folder}: {missing[0]} is missing; expected {', '.join(names)}")
            return [folder / name for name in names]
    raise SureError(
        f"{corpus}: no list of {lang} there; expected asr_{lang}.tsv.gz with the recordings of the sessions "
        f"(*_original.ogg), or {lang}/{names[0]}, {names[1]} and {names[2]} with cut recordings"
    )


def read_rows(paths: list[Path], lang: str) -> Iterator[Row]:
    """The rows of lists with either header. Raises SureError naming the file and column."""
    for path in paths:
        yield from (_row(cells, path, lang) for _, cells in read_csv(path))


def _row(cells: dict[str, str], path: Path, lang: str) -> Row:
    def cell(*names: str) -> str:
        for name in names:
            if name in cells:
                return cells[name]
        raise SureError(f"{path}: no column {' or '.join(names)}; expected a list of VoxPopuli's transcribed speech")

    if "session_id" in cells:
        session = cell("session_id")
        id = f"{session}-{cell('id_')}"
    else:
        id = cell("id")
        session = id.rpartition(f"-{lang}_")[0] or id
    speaker = cell("speaker_id", "speaker")
    times = [float(time) for piece in PIECE.findall(cells.get("vad", "")) for time in piece]
    if not times:
        found = [re.match(NUMBER, cells.get(key, "")) for key in ("start_time", "end_time")]
        times = [float(match[0]) for match in found if match]
    return Row(
        id=one_word(id),
        session=session,
        text=cell("normalized_text", "normed_text"),
        speaker=f"unknown_{session}" if speaker in UNKNOWN else one_word(speaker),
        subset=cell("split"),
        start=min(times) if len(times) > 1 else None,
        end=max(times) if len(times) > 1 else None,
    )


def find_audio(row: Row, lang: str, recordings: dict[str, Path]) -> tuple[str, float | None, float | None] | None:
    """Recording, start and end: the cut recording of a row, or its part of the session's recording."""
    if cut := recordings.get(row.id.replace(":", "_")):
        return str(cut), None, None
    session = recordings.get(f"{row.session}_original") or recordings.get(f"{row.session}_{lang}")
    if session is None or row.start is None or row.end <= row.start:
        return None
    return str(session), row.start, row.end


def transcript(row: Row, lang: str) -> tuple[str, str]:
    """The normalised text and, if there is none, the reason."""
    try:
        text = normalize(row.text, lang)
    except SureError:
        return "", f"texts with digits, which SURE cannot write as words in {lang}"
    return text, "" if text else "rows without a normalised text"
