"""Stage 3: learn tokens or labels from the training set, into tokenizer.folder."""

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sure import registry
from sure.config import Config
from sure.data.data_dir import read_data_dir
from sure.errors import counted, some_of
from sure.files import replace_folder
from sure.models.build import build_task

SHOWN = 20  # labels or symbols of a set


def tokenize(config: Config) -> Path:
    """Fit the config's task on its training set; the folder is replaced when that has succeeded.

    Prints warnings, such as about labels that dev and test have and the training set lacks.
    """
    folder = Path(config.tokenizer.folder)
    utterances = read_data_dir(config.data.train)
    task = registry.find("tasks", config.task)
    settings = {"tokenizer": config.tokenizer, "language": config.text.language}
    others = itertools.chain.from_iterable(map(read_data_dir, _other_sets(config)))  # read lazily
    task.check(itertools.chain(utterances, others), **settings)
    replace_folder(folder, lambda made: task.fit(utterances, made, **settings))
    for line in _warnings(config):
        print(f"warning: {line}")
    return folder


def _other_sets(config: Config) -> list[str]:
    """The folders of the existing dev and test sets."""
    folders = config.data.sets().values()
    return [one for one in folders if Path(one) != Path(config.data.train) and (Path(one) / "wav.scp").is_file()]


def _warnings(config: Config) -> Iterator[str]:
    task = build_task(config)
    yield from task.warnings()
    for folder in _other_sets(config):
        counts = Counter(name for utterance in read_data_dir(folder) for name in set(task.unseen(utterance)))
        if names := [f"{name!r} ({counted(count, 'utterance')})" for name, count in sorted(counts.items())]:
            lacking = f"labels or symbols that {config.data.train} lacks, which count as errors"
            yield f"{folder} has {lacking}: {some_of(names, SHOWN)}"
