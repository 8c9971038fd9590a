"""Base of the tasks: files of stage 3, a head, a loss, decoding and scores."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from sure.backbones.base import Backbone
from sure.data.data_dir import Utterance
from sure.frames import Frames


class HeadConfig(BaseModel):
    """Settings of every head; a task's `Config` adds its own."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability in the head during training")


class AnyTask(ABC):
    """Base of every task, whatever its kind of model."""

    Config: type[BaseModel]
    kind: str  # of the model: the name of a file in sure/kinds
    score_name: str  # the score that selects the epoch and compares models: "wer", ...; a config may choose another
    higher_is_better: bool
    tokenizer_kinds: tuple[str, ...] = ("character", "bpe", "unigram")  # values of tokenizer.kind; the default first
    decode_methods: tuple[str, ...] = ("greedy",)  # values of decode.method
    stack = ""  # the stack of layers of the methods' default sites, `decoder` or `encoder`; empty: all layers
    names_decodings = False  # decode.name names the results also without a search
    freeze_convolution = False  # petl.name=full leaves the convolutional front end frozen (CTC tasks)

    @classmethod  # noqa: B027
    def check(cls, utterances: Iterable[Utterance], *, tokenizer: Any, language: str) -> None:
        """Called in stage 3, before `fit`, with all sets. Raises SureError for utterances that cannot have a target."""

    @classmethod
    @abstractmethod
    def fit(cls, utterances: Sequence[Utterance], folder: Path, *, tokenizer: Any, language: str) -> None:
        """Stage 3: learn tokens or labels from the training utterances and write them to `folder`.

        tokenizer: has `kind`, `size`, `lexicon` and `fold` (sure.config_sections.TokenizerConfig).
        """

    @abstractmethod
    def __init__(self, config: BaseModel, folder: Path, language: str):
        """Load the files of `fit`. Raises SureError naming a missing file and the stage that writes it."""

    @abstractmethod
    def files(self) -> list[str]:
        """Names of the files in `folder` that a bundle needs."""

    def warnings(self) -> Iterator[str]:
        """What makes training with the files of `fit` pointless; printed by stage 3."""
        yield from ()

    def unseen(self, utterance: Utterance) -> list[str]:
        """Labels or symbols of an utterance of another set that the training set lacks; stage 3 reports them."""
        return []

    def target_files(self) -> list[str]:
        """Names of further files in `folder`, needed for targets but not for decoding."""
        return []

    def shape(self) -> dict[str, Any]:
        """Sizes of a backbone with random weights that depend on the files of `fit`."""
        return {}

    def check_backbone(self, backbone: Backbone, weights: str) -> None:
        """Adjust a backbone to the task. Raises SureError where that is impossible; weights: named in the error."""
        return None

    def parts(self) -> str:
        """Patterns of the backbone's parts that train in addition to the methods."""
        return ""

    @abstractmethod
    def build_head(self, width: int) -> nn.Module:
        """A new head, trained with every method. width: of the backbone's readout."""

    @abstractmethod
    def dev_scores(self, utterances: Sequence[Any], results: Mapping[str, Any]) -> dict[str, Any]:
        """Scores of the dev set by name, `score_name` among them.

        results: by utterance id, as returned by the model's `evaluate_batch`.
        """


class SpeechTask(AnyTask):
    """Base of the tasks that map an utterance to a line of text, a label or an embedding."""

    abilities: tuple[str, ...] = ()  # methods of sure.inference.Sure besides `predict`: timings, transcribe, embed
    misfit = "with more tokens than frames"  # of a target for which `fits` is false

    @abstractmethod
    def target(self, utterance: Utterance) -> Tensor:
        """Target of the loss, (items,) int64. Raises SureError naming an utterance that cannot have one."""

    def dev_target(self, utterance: Utterance) -> Tensor:
        """As `target`, for the dev set, which may have labels that the training set lacks."""
        return self.target(utterance)

    def fits(self, lengths: Tensor, targets: Sequence[Tensor]) -> Tensor:
        """(batch,) bool: whether an utterance of `lengths` frames can have this target."""
        return torch.ones(len(targets), dtype=torch.bool)

    def merge(self, lines: Sequence[str], seconds: Sequence[float]) -> str:
        """The line of a recording from those of its consecutive parts: by default the line with most seconds."""
        durations: dict[str, float] = {}
        for line, duration in zip(lines, seconds, strict=True):
            durations[line] = durations.get(line, 0.0) + duration
        return max(durations, key=durations.__getitem__)

    @abstractmethod
    def reference(self, utterance: Utterance) -> str:
        """The line of `ref.txt` that the decoded line is compared with, without the id."""

    def check_set(self, utterances: Sequence[Utterance], folder: str) -> None:
        """Raises SureError naming the folder of a dev or test set that cannot be scored; called before decoding."""
        return None

    def dev_scores(self, utterances: Sequence[Utterance], results: Mapping[str, Any]) -> dict[str, Any]:
        references = {utterance.id: self.reference(utterance) for utterance in utterances}
        return self.score(references, {id: results[id] for id in references})

    @abstractmethod
    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        """Scores by name, over lines by utterance id; `score_name`, in percent, is among them.

        Each is a number or a small table. `<score_name>_interval` is [low, high] of the 95 % confidence interval, by a
        seeded bootstrap over utterances or another independent unit.
        """

    def listing(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> str:
        """Content of `result.txt`, for people: aligned errors, or a confusion table."""
        return ""


class BaseTask(SpeechTask):
    """Base of the tasks with a speech encoder and a head; each file `sure/tasks/<name>.py` defines `class Task`."""

    Config: type[HeadConfig] = HeadConfig
    kind = "recognition"

    @abstractmethod
    def build_head(self, width: int) -> nn.Module:
        """`head(features (batch, time, width), frames) -> outputs`, a tensor with batch first."""

    @abstractmethod
    def loss(self, outputs: Tensor, frames: Frames, targets: Sequence[Tensor]) -> Tensor:
        """One loss an utterance, (batch,), normalised by the utterance's own length where that applies."""

    def probabilities(self, outputs: Tensor) -> list[dict[str, dict[str, float]]]:
        """For classification, the probability of each label, by group, for each utterance; else an empty list."""
        return []

    @abstractmethod
    def decode(self, outputs: Tensor, frames: Frames) -> list[str]:
        """One line of `hyp.txt` for each utterance, without the id."""
