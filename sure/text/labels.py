"""Label sets of classification tasks: sorted names for each output group."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sure.errors import SureError
from sure.parsing import read_json

FILE = "labels.json"
STAGE = "run stage 3 (tokenize) again, or pass the folder that it wrote"


@dataclass(frozen=True)
class Labels:
    """Label names of each output group, sorted by code point, so that indices are the same in every run.

    A task with one output has the single group `label`; intent classification has one group per slot.
    """

    names: dict[str, list[str]]  # by group, in the order of their indices

    @property
    def groups(self) -> list[str]:
        return list(self.names)

    @classmethod
    def from_utterances(cls, labels: Iterable[dict[str, str]]) -> Labels:
        """From the `labels` of training utterances. Raises SureError without labels and for different groups."""
        labels = list(labels)
        if not labels or not labels[0]:
            raise SureError("no labels: the training set needs an utt2label file with one label per utterance")
        groups = sorted(labels[0])
        for one in labels:
            if sorted(one) != groups:
                raise SureError(
                    f"utterances have different output groups: {' '.join(groups)}, and {one!r}; "
                    "in utt2label every utterance needs a label for every group"
                )
        return cls({group: sorted({one[group] for one in labels}) for group in groups})

    def save(self, folder: Path) -> None:
        """Write labels.json to `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        content = json.dumps(self.names, ensure_ascii=False, indent=2) + "\n"
        (folder / FILE).write_text(content, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Labels:
        """Read labels.json from `folder`. Raises SureError if it is missing or invalid."""
        path = folder / FILE
        groups = read_json(path, STAGE)
        for names in groups.values() if groups else [None]:
            valid = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
            if not valid or len(set(names)) < len(names):
                raise SureError(f"{path}: expected groups with lists of different labels; {STAGE}")
        return cls(dict(sorted(groups.items())))
