"""Base of classification tasks, with one label for each utterance or one in each output group."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from sure.data.data_dir import Utterance
from sure.data.tables import format_labels
from sure.errors import SureError
from sure.frames import Frames
from sure.parsing import read_json
from sure.registry import nearest
from sure.score.classification import classification_listing, classification_scores
from sure.tasks.base import BaseTask, HeadConfig
from sure.tasks.heads import ClassificationHead
from sure.text.labels import FILE as LABELS_FILE
from sure.text.labels import Labels

COUNTS_FILE = "label_counts.json"
UNSEEN = -1  # target for a label that is not in the training set


class ClassificationTask(BaseTask):
    """Outputs are the logits of all groups, one group after another (batch, labels of all groups)."""

    class Config(HeadConfig):
        class_weights: Literal["none", "balanced"] = Field(
            "none", description="balanced: every label has the same total weight in the loss, however rare it is"
        )
        label_smoothing: float = Field(
            0.0, ge=0.0, lt=1.0, description="target probability that is spread evenly over all labels"
        )
        score: Literal["accuracy", "macro_f1", "weighted_f1", "unweighted_average_recall"] = Field(
            "accuracy", description="the score that selects the best epoch, and by which reports compare methods"
        )

    score_name = "accuracy"  # or head.score
    higher_is_better = True

    @classmethod
    def fit(cls, utterances: Sequence[Utterance], folder: Path, *, tokenizer: Any, language: str) -> None:
        labels = Labels.from_utterances(utterance.labels for utterance in utterances)
        labels.save(folder)
        counts = {group: Counter(one.labels[group] for one in utterances) for group in labels.groups}
        text = json.dumps(counts, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        (folder / COUNTS_FILE).write_text(text, encoding="utf-8")

    def __init__(self, config: Config, folder: Path, language: str):
        self.config = config
        self.score_name = config.score
        self.labels = Labels.load(folder)
        self.sizes = [len(names) for names in self.labels.names.values()]
        self.weights: list[Tensor | None] = [None] * len(self.sizes)
        if config.class_weights == "balanced":
            self.weights = balanced_weights(self.labels, folder / COUNTS_FILE)

    def files(self) -> list[str]:
        return [LABELS_FILE, *([COUNTS_FILE] if self.config.class_weights == "balanced" else [])]

    def build_head(self, width: int) -> nn.Module:
        return ClassificationHead(width, sum(self.sizes), self.config.dropout)

    def warnings(self) -> Iterator[str]:
        for group, names in self.labels.names.items():
            if len(names) == 1:
                yield f"the training set has one {group}, {names[0]!r}: all outputs are equal, whatever is trained"
            spellings: dict[str, list[str]] = {}
            for name in names:
                spellings.setdefault(name.lower(), []).append(name)
            for alike in spellings.values():
                if len(alike) > 1:
                    yield f"{' and '.join(map(repr, alike))} are different labels ({group}); is one spelling meant?"

    def unseen(self, utterance: Utterance) -> list[str]:
        names = self.labels.names
        return [label for group, label in utterance.labels.items() if label not in names.get(group, ())]

    def target(self, utterance: Utterance) -> Tensor:
        """Index of the label in each group (groups,). Raises SureError for a label that the training set lacks."""
        target = self.dev_target(utterance)
        for group, known in self.labels.names.items():
            label = utterance.labels[group]
            if label not in known:
                raise SureError(
                    f"{utterance.id}: {group} {label!r} is not in the training set{nearest(label, known)}; "
                    f"training labels: {' '.join(known)}"
                )
        return target

    def dev_target(self, utterance: Utterance) -> Tensor:
        """UNSEEN, which has no loss, for a label that the training set lacks; every output counts as wrong."""
        self._same_groups(utterance)
        pairs = ((utterance.labels[group], known) for group, known in self.labels.names.items())
        return torch.tensor([known.index(label) if label in known else UNSEEN for label, known in pairs])

    def loss(self, outputs: Tensor, frames: Frames, targets: Sequence[Tensor]) -> Tensor:
        """Sum of the cross entropies of the groups (batch,)."""
        wanted = torch.stack(list(targets)).to(outputs.device, non_blocking=True).unbind(1)
        smoothing = self.config.label_smoothing
        weights = [each if each is None else each.to(outputs.device, non_blocking=True) for each in self.weights]
        return sum(
            F.cross_entropy(logits, labels, weight, ignore_index=UNSEEN, reduction="none", label_smoothing=smoothing)
            for logits, labels, weight in zip(outputs.float().split(self.sizes, 1), wanted, weights, strict=True)
        )

    def decode(self, outputs: Tensor, frames: Frames) -> list[str]:
        """`label`, or `group=label group=label`; the first label among equal logits."""
        best = torch.stack([logits.argmax(1) for logits in outputs.split(self.sizes, 1)], 1).tolist()
        names = self.labels.names
        return [format_labels({g: names[g][i] for g, i in zip(names, row, strict=True)}) for row in best]

    def probabilities(self, outputs: Tensor) -> list[dict[str, dict[str, float]]]:
        groups = [logits.softmax(1).tolist() for logits in outputs.float().split(self.sizes, 1)]
        names = self.labels.names.items()
        return [
            {group: dict(zip(known, row, strict=True)) for (group, known), row in zip(names, rows, strict=True)}
            for rows in zip(*groups, strict=True)
        ]

    def reference(self, utterance: Utterance) -> str:
        self._same_groups(utterance)
        return format_labels({group: utterance.labels[group] for group in self.labels.groups})

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        return classification_scores(*self._parsed(references, hypotheses), self.score_name)

    def listing(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> str:
        return classification_listing(list(references), *self._parsed(references, hypotheses))

    def _same_groups(self, utterance: Utterance) -> None:
        if sorted(utterance.labels) != self.labels.groups:
            found = " ".join(utterance.labels) or "none"
            raise SureError(
                f"{utterance.id}: expected a label for {' '.join(self.labels.groups)}, as in training, "
                f"found {found}; correct its line in utt2label"
            )

    def _parsed(
        self, references: Mapping[str, str], hypotheses: Mapping[str, str]
    ) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """For references and hypotheses, the labels of each group, in the order of `references`."""
        groups = self.labels.groups
        wanted, found = ([self._parse(side[id]) for id in references] for side in (references, hypotheses))
        for id, labels in zip(references, wanted, strict=True):
            if not all(labels.get(group) for group in groups):
                raise SureError(f"{id}: expected a label for {' '.join(groups)} in ref.txt, found {references[id]!r}")
        return tuple({g: [labels.get(g, "") for labels in side] for g in groups} for side in (wanted, found))

    def _parse(self, line: str) -> dict[str, str]:
        if self.labels.groups == ["label"]:
            return {"label": line.strip()}
        return dict(word.split("=", 1) for word in line.split() if "=" in word)


def balanced_weights(labels: Labels, path: Path) -> list[Tensor]:
    """For each group, weights utterances / (labels * utterances with the label); their mean over utterances is 1."""
    remedy = "run stage 3, tokenize, again"
    counts = read_json(path, remedy, labels.groups)
    try:
        given = [[counts[group][name] for name in names] for group, names in labels.names.items()]
    except (KeyError, TypeError):
        raise SureError(f"{path} does not have a count for each label; {remedy}") from None
    return [sum(group) / (len(group) * torch.tensor(group, dtype=torch.float32)) for group in given]
