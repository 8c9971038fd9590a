"""Corpora that Python has in memory: lists of recordings with texts or labels, and datasets of Hugging Face."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import soundfile

from sure import SAMPLE_RATE
from sure.corpus.texts import one_word
from sure.data.data_dir import Utterance, check_writable
from sure.data.waveform import load_recording
from sure.errors import SureError
from sure.files import replace_file

KEYS = ("audio", "text", "label", "speaker", "id", "language")
TARGETS, ANY = ("text", "label", "speaker"), "any"
EXPECTED = "pairs (audio, text or label), or dictionaries with the keys audio and text, label or speaker"


def is_dataset(data: Any) -> bool:
    """Whether `data` is a `datasets.Dataset`, which need not be installed."""
    return hasattr(data, "column_names") and hasattr(data, "cast_column")


def read_rows(
    rows: Iterable[Any], name: str, target: str, audio: Path, columns: Mapping[str, str] | None = None
) -> list[Utterance]:
    """Utterances of a set. rows: as EXPECTED; target: the key that the task needs, text, label or speaker, or `any`
    for all of TARGETS that there are.

    columns: other names of keys, such as {"text": "sentence"}. audio: folder for recordings that are not files; they
    are written once, under the digest of their content.
    Raises SureError naming the row.
    """
    utterances, columns = [], columns or {}
    for number, row in enumerate(_dataset_rows(rows, name, target, columns) if is_dataset(rows) else rows):
        where = f"{name}, row {number}"
        values = _values(row, target, where, {} if is_dataset(rows) else columns)
        targets = [key for key in TARGETS if target in (key, ANY) and values.get(key) is not None]
        if not targets:
            needed = "text, label or speaker" if target == ANY else target
            raise SureError(f"{where}: the task needs {needed}; add it to the row, which has {', '.join(values)}")
        speaker = values.get("speaker")
        language = values.get("language")
        utterance = Utterance(
            id=str(values.get("id") or f"{name}-{number:07d}"),
            audio=_file(values.get("audio"), audio, where),
            text=str(values["text"]) if "text" in targets else None,
            labels={"label": one_word(str(values["label"]))} if "label" in targets else {},
            speaker=None if speaker is None else one_word(str(speaker)),
            language=None if language is None or "text" not in targets else str(language),
        )
        check_writable(where, utterance)
        utterances.append(utterance)
    if not utterances:
        raise SureError(f"{name}: no rows; expected {EXPECTED}")
    return utterances


def _values(row: Any, target: str, where: str, columns: Mapping[str, str]) -> dict[str, Any]:
    """A row as a dictionary with keys of KEYS."""
    if isinstance(row, Mapping):
        return {key: row[columns.get(key, key)] for key in KEYS if columns.get(key, key) in row}
    if isinstance(row, Sequence) and not isinstance(row, str) and len(row) in (2, 3):
        return dict(zip(("audio", target, "speaker")[: len(row)], row, strict=True))
    raise SureError(f"{where}: found {type(row).__name__}; expected {EXPECTED}")


def _dataset_rows(data: Any, name: str, target: str, columns: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Rows of a dataset with undecoded recordings, and names in place of the numbers of its labels."""
    names = {key: columns.get(key, key) for key in KEYS}
    targets = [key for key in TARGETS if target in (key, ANY)]
    if target == ANY:
        targets = [key for key in TARGETS if names[key] in data.column_names] or ["text"]
    for key in ("audio", *targets, *columns):
        if names.get(key) not in data.column_names:
            there = ", ".join(data.column_names)
            remedy = f"name it: columns={{{key!r}: NAME}}, or --columns {key}=NAME"
            raise SureError(f"{name}: the dataset has no column {names.get(key, key)!r}; it has {there}; {remedy}")
    data = data.select_columns([column for column in names.values() if column in data.column_names])
    data = data.rename_columns({column: key for key, column in names.items() if key != column})
    if hasattr(data.features["audio"], "decode"):
        from datasets import Audio

        data = data.cast_column("audio", Audio(decode=False))  # the content of files, which SURE decodes
    labels = {key: known for key in targets if (known := getattr(data.features[key], "names", None))}
    for row in data:
        yield {**row, **{key: known[row[key]] for key, known in labels.items() if isinstance(row[key], int)}}


def _file(audio: Any, folder: Path, where: str) -> str:
    """The path of a recording, which is written to `folder` unless it is a file already. Raises SureError."""
    if isinstance(audio, Mapping) and {"bytes", "path"} <= audio.keys():  # of `datasets`
        suffix = Path(audio["path"] or "").suffix
        audio = audio["path"] if audio["bytes"] is None else audio["bytes"]
    else:
        suffix = ""
    if isinstance(audio, (str, os.PathLike)):
        return os.path.abspath(os.path.expanduser(audio))
    if audio is None:
        raise SureError(f"{where}: there is no audio; expected {EXPECTED}")
    if isinstance(audio, (bytes, bytearray)):
        path = folder / f"{hashlib.sha256(audio).hexdigest()[:24]}{suffix}"
        if not path.exists():
            replace_file(path, bytes(audio))
        return str(path)
    wave = load_recording(audio, where)[0].numpy()
    path = folder / f"{hashlib.sha256(wave.tobytes()).hexdigest()[:24]}.wav"
    if not path.exists():
        content = io.BytesIO()
        soundfile.write(content, wave, SAMPLE_RATE, subtype="FLOAT", format="WAV")
        replace_file(path, content.getvalue())
    return str(path)
