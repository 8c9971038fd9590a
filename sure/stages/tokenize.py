"""Stage 3: learn tokens or labels from the training set, into tokenizer.folder."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sure import registry
from sure.config import Config
from sure.data.data_dir import Utterance, read_data_dir


def tokenize(config: Config) -> Path:
    """Fit the config's task on its training set; the folder is replaced as a whole, when all went well."""
    folder = Path(config.tokenizer.folder)
    beside, before = folder.with_name(folder.name + ".partial"), folder.with_name(folder.name + ".before")
    for leftover in (beside, before):
        shutil.rmtree(leftover, ignore_errors=True)
    utterances = read_data_dir(config.data.train)
    task = registry.find("tasks", config.task)
    settings = {"tokenizer": config.tokenizer, "language": config.text.language}
    task.check(itertools.chain(utterances, _other_sets(config)), **settings)
    beside.mkdir(parents=True)
    try:
        task.fit(utterances, beside, **settings)
        if folder.exists():
            os.rename(folder, before)
        os.rename(beside, folder)
    finally:
        for leftover in (beside, before):
            shutil.rmtree(leftover, ignore_errors=True)
    return folder


def _other_sets(config: Config) -> Iterator[Utterance]:
    """The dev and test sets that are there, read when asked for; nothing is learned from them."""
    for folder in config.data.sets().values():
        if Path(folder) != Path(config.data.train) and (Path(folder) / "wav.scp").is_file():
            yield from read_data_dir(folder)
