"""What a task is: a vocabulary learned at stage 3, a head, a loss, a way to decode, and a score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from sure.backbones.base import Backbone
from sure.data.data_dir import Utterance
from sure.frames import Frames


class HeadConfig(BaseModel):
    """Settings every head has; a task's `Config` adds its own."""

    model_config = ConfigDict(extra="forbid")

    dropout: float = Field(0.0, ge=0, lt=1)


class AnyTask(ABC):
    """What training, decoding and bundles know of every task, whether it recognises speech or makes it."""

    Config: type[BaseModel]
    score_name: str  # key of the scores' result that models are compared by: "wer", "accuracy", ...
    higher_is_better: bool
    speaks: bool = False  # makes speech of text
    tokenizer_kinds: tuple[str, ...] = ("character", "bpe", "unigram")  # what tokenizer.kind may be; default first
    decode_methods: tuple[str, ...] = ("greedy",)  # what decode.method may be
    freeze_convolution = False  # full fine-tuning leaves the convolutional front end frozen (CTC tasks)

    @classmethod  # noqa: B027
    def check(cls, utterances: Iterable[Utterance], *, tokenizer: Any, language: str) -> None:
        """Stage 3, before `fit`, with all sets: raises SureError for what later stages could make no target of."""

    @classmethod
    @abstractmethod
    def fit(cls, utterances: Sequence[Utterance], folder: Path, *, tokenizer: Any, language: str) -> None:
        """Stage 3: learn tokens or labels from the training utterances and write them to `folder`.

        tokenizer: has `kind`, `size`, `lexicon` and `fold` (sure.config.TokenizerConfig).
        """

    @abstractmethod
    def __init__(self, config: BaseModel, folder: Path, language: str):
        """Load what `fit` wrote. Raises SureError naming the folder and the stage that makes it when it is missing."""

    @abstractmethod
    def files(self) -> list[str]:
        """Names of the files in `folder` that a bundle has to carry."""

    def target_files(self) -> list[str]:
        """Names of further files in `folder`, which targets are made of; nothing that decoding needs."""
        return []

    def shape(self) -> dict[str, Any]:
        """Sizes of a backbone with random weights that follow from what `fit` learned."""
        return {}

    def check_backbone(self, backbone: Backbone, weights: str) -> None:
        """Make a backbone ready for the task. Raises SureError for one that does not fit; weights: where it is from."""
        return None

    def parts(self) -> str:
        """Patterns of the backbone's parts that train beside the methods."""
        return ""

    @abstractmethod
    def build_head(self, width: int) -> nn.Module:
        """What is trained on top of the backbone, whatever the method. width: of what the backbone gives."""

    @abstractmethod
    def dev_scores(self, utterances: Sequence[Any], answers: Mapping[str, Any]) -> dict[str, Any]:
        """Scores by name of a set in training, `score_name` among them. answers: the model's, by utterance id."""


class BaseTask(AnyTask):
    """Base of every `Task` that recognises; each file `sure/tasks/<name>.py` defines one."""

    Config: type[HeadConfig] = HeadConfig

    @abstractmethod
    def build_head(self, width: int) -> nn.Module:
        """`head(features (batch, time, width), frames) -> outputs`, a tensor with batch first."""

    @abstractmethod
    def target(self, utterance: Utterance) -> Tensor:
        """What the loss compares with, (items,) int64. Raises SureError naming an utterance it cannot be made of."""

    @abstractmethod
    def loss(self, outputs: Tensor, frames: Frames, targets: Sequence[Tensor]) -> Tensor:
        """One loss an utterance (batch,), each normalised by the utterance's own length where that applies."""

    @abstractmethod
    def decode(self, outputs: Tensor, frames: Frames) -> list[str]:
        """One line of `hyp.txt` an utterance, without its id."""

    @abstractmethod
    def reference(self, utterance: Utterance) -> str:
        """The line of `ref.txt` that `decode` is compared with."""

    def check_set(self, utterances: Sequence[Utterance], folder: str) -> None:
        """Raises SureError naming the folder of a dev or test set that cannot be scored; before time is spent on it."""
        return None

    def dev_scores(self, utterances: Sequence[Utterance], answers: Mapping[str, str]) -> dict[str, Any]:
        references = {utterance.id: self.reference(utterance) for utterance in utterances}
        return self.score(references, {id: answers[id] for id in references})

    @abstractmethod
    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        """Scores by name over utterance ids, `score_name` among them in percent, each a number or a small table.

        Confidence intervals (`<score_name>_interval`: [low, high], 95 %) by bootstrap, seeded, over utterances or what
        else is independent.
        """

    def listing(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> str:
        """`result.txt`: what a person wants to read (aligned errors, a confusion table)."""
        return ""
