"""Stage 3: learn tokens or labels from the training set, into tokenizer.folder."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from sure import registry
from sure.config import Config
from sure.data.data_dir import Utterance, read_data_dir
from sure.files import replace_folder


def tokenize(config: Config) -> Path:
    """Fit the config's task on its training set; the folder is replaced when that has succeeded."""
    folder = Path(config.tokenizer.folder)
    utterances = read_data_dir(config.data.train)
    task = registry.find("tasks", config.task)
    settings = {"tokenizer": config.tokenizer, "language": config.text.language}
    task.check(itertools.chain(utterances, _other_sets(config)), **settings)
    replace_folder(folder, lambda made: task.fit(utterances, made, **settings))
    return folder


def _other_sets(config: Config) -> Iterator[Utterance]:
    """Utterances of the existing dev and test sets, read lazily, for checks only."""
    for folder in config.data.sets().values():
        if Path(folder) != Path(config.data.train) and (Path(folder) / "wav.scp").is_file():
            yield from read_data_dir(folder)
