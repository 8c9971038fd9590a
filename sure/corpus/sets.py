"""The training, dev and test set of a corpus in any form: table, folder, list or dataset."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sure.corpus.hub_dataset import is_dataset_name, load
from sure.corpus.kaldi_folder import copy_data_dir
from sure.corpus.memory import is_dataset, read_rows
from sure.corpus.selection import SETS, last_tenths
from sure.corpus.table_corpus import TABLE, find_table, read_table
from sure.data.data_dir import Utterance, write_data_dir
from sure.errors import SureError
from sure.files import sha256_of_file

NAMES = {"validation": "dev", "valid": "dev", "val": "dev", "eval": "dev", "development": "dev"}  # names of others
FEWEST = 3  # recordings that can be divided into three sets
FORMS = (
    "a table (.tsv, .csv), a folder with train, dev and test as tables or Kaldi data folders, a list of pairs (audio, "
    "text or label), a datasets.Dataset or hf://owner/name, or a dictionary of these with the keys train, dev and test"
)


Read = Callable[[Any, str], list[Utterance]]  # of a set and its name


@dataclass
class Part:
    """One set. digest: of its table or values, to find out whether it changed; write: makes the data folder."""

    digest: str
    write: Callable[[Path], object]


def read_sets(
    data: Any,
    target: str,
    audio: Path,
    columns: Mapping[str, str] | None = None,
    needed: Sequence[str] = ("train", "dev"),
) -> dict[str, Part]:
    """The sets of a corpus, at least those that are needed. Raises SureError for another form.

    data: as FORMS. A corpus without a dev or test set is divided: a tenth of the speakers, or of the recordings where
    fewer than ten speakers are known, is dev, and a tenth is test. target: the column text, label or speaker. audio:
    folder for recordings in memory. columns: their names in datasets and dictionaries, {"text": "sentence"}. target
    may be `any` for datasets: all of these columns.
    """
    read = partial(_utterances, target=target, audio=audio, columns=columns or {})
    data = load(data) if is_dataset_name(data) else data
    if isinstance(data, (str, os.PathLike)):
        path = Path(data).expanduser()
        if path.is_dir() and not (path / "wav.scp").is_file():
            data = {name: _set_in(path, name) for name in SETS}
        elif not path.exists():
            raise SureError(f"{path} does not exist; expected {FORMS}")
    if not isinstance(data, Mapping):
        return _divided(read(data, "data"), SETS)
    named = {NAMES.get(name, name): part for name, part in data.items()}
    if unknown := sorted(map(str, named.keys() - set(SETS))):
        raise SureError(
            f"the corpus has the set {unknown[0]!r}; expected train, dev and test: pass a dictionary of these"
        )
    if "train" not in named:
        raise SureError("the corpus has no set 'train'; expected train, dev and test")
    if not named.keys() >= set(needed):
        train = read(named.pop("train"), "train")
        return {**_divided(train, [name for name in SETS if name not in named]), **_parts(named, target, read)}
    return _parts(named, target, read)


def _set_in(folder: Path, name: str) -> Path:
    """The data folder or the table of a set."""
    return folder / name if (folder / name / "wav.scp").is_file() else find_table(folder, name)


def _parts(named: Mapping[str, Any], target: str, read: Read) -> dict[str, Part]:
    return {name: _part(part, name, target, read) for name, part in named.items()}


def _part(data: Any, name: str, target: str, read: Read) -> Part:
    if isinstance(data, (str, os.PathLike)) and Path(data).is_dir():
        source = Path(data).resolve()
        tables = [source / each for each in ("wav.scp", "segments", TABLE[target], "utt2spk", "utt2lang", "trials")]
        digests = [sha256_of_file(table) for table in tables if table.is_file()]
        return Part("".join([str(source), *digests]), lambda folder: copy_data_dir(source, folder, TABLE[target]))
    return _written(read(data, name))


def _written(utterances: Sequence[Utterance]) -> Part:
    return Part(_digest(utterances), lambda folder: write_data_dir(folder, utterances))


def _utterances(data: Any, name: str, target: str, audio: Path, columns: Mapping[str, str]) -> list[Utterance]:
    if isinstance(data, (str, os.PathLike)):
        path = Path(data).expanduser().resolve()
        if path.is_dir():
            raise SureError(
                f"{path} has no sets; pass a dictionary such as {{'train': FOLDER, 'dev': ..., 'test': ...}}"
            )
        if columns:
            raise SureError(f"{path}: columns are for datasets and dictionaries; rename those of the table")
        return read_table(path, target)
    if is_dataset(data) or (isinstance(data, Iterable) and not isinstance(data, (bytes, Mapping))):
        return read_rows(data, name, target, audio, columns)
    raise SureError(f"the corpus is {type(data).__name__}; expected {FORMS}")


def _divided(utterances: Sequence[Utterance], names: Sequence[str]) -> dict[str, Part]:
    """The utterances in the named sets, by a rule that depends on nothing but names of speakers or recordings."""
    speakers = {one.speaker for one in utterances}
    by_speaker = None not in speakers and len(speakers) >= 10
    group_of = {one.id: str(one.speaker if by_speaker else one.audio) for one in utterances}
    groups = sorted(set(group_of.values()), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    if len(groups) < FEWEST:
        raise SureError(f"{len(groups)} recordings cannot be divided into train, dev and test; pass more, or the sets")
    set_of = last_tenths(groups, at_least=1)
    place = {name: name if name in names else "train" for name in SETS}
    found: dict[str, list[Utterance]] = {name: [] for name in names}
    for one in utterances:
        found[place[set_of[group_of[one.id]]]].append(one)
    return {name: _written(part) for name, part in found.items()}


def _digest(utterances: Sequence[Utterance]) -> str:
    """Of all values, and of size and time of the files."""
    digest = hashlib.sha256()
    for one in sorted(utterances, key=lambda one: one.id):
        values = (one.id, one.audio, one.start, one.end, one.text, one.labels, one.speaker, one.language)
        digest.update(json.dumps(values).encode())
        if os.path.isfile(one.audio):
            about = os.stat(one.audio)
            digest.update(f"{about.st_size} {about.st_mtime_ns}".encode())
    return digest.hexdigest()
