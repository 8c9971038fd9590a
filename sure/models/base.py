"""Base of the models: a frozen backbone with attached methods and a task head; its parameters, tensors and bundle."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sure.backbones.base import Backbone
from sure.backbones.quantised import hidden_parameters
from sure.config import Config
from sure.errors import SureError
from sure.petl.attach import Attachment
from sure.petl.bundle import bundle_files, describe_backbone
from sure.petl.names import HEAD
from sure.provenance import code_of
from sure.tasks.base import AnyTask


@dataclass
class Counts:
    """Numbers of parameters: trained in the backbone and its methods, trained in the head, and in total."""

    adapter: int
    head: int
    total: int

    @property
    def trained(self) -> int:
        return self.adapter + self.head

    @property
    def percent(self) -> float:
        return 100 * self.trained / self.total


class AdaptedModel(nn.Module, ABC):
    """Base of the models; each kind in sure/kinds has one.

    A model is called with a batch of its feed, on the model's device, and returns one loss an utterance, (batch,).
    """

    decode_difference: float | None = None  # of the durations in a batch of decoding, as of SecondsBatchSampler

    def __init__(self, backbone: Backbone, attachment: Attachment, task: AnyTask, head: nn.Module, config: Config):
        super().__init__()
        self.backbone = backbone
        self.attachment = attachment
        self.methods = attachment.modules()
        self.task = task
        self.head = head

    @property
    @abstractmethod
    def abilities(self) -> tuple[str, ...]:
        """Names of the methods of `sure.inference.Sure` that this model supports, such as `predict`."""

    @abstractmethod
    def forward(self, batch: Any) -> Tensor: ...

    @abstractmethod
    def evaluate_batch(self, batch: Any) -> tuple[Tensor, list[Any]]:
        """Losses (batch,) of a dev batch, and for each utterance the result that `task.dev_scores` needs."""

    def finish(self, best: dict[str, Tensor], folder: Path) -> None:
        """Write files that other trainings need, at the end of a training. best: the best weights, as of `state`."""

    def parameter_groups(self) -> dict[str, dict[str, nn.Parameter]]:
        """`adapter` and `head`: all trained tensors, by the names in saved files."""
        head = {f"{HEAD}{name}": parameter for name, parameter in self.head.named_parameters()}
        return {"adapter": self.attachment.trained_parameters(), "head": head}

    def state(self) -> dict[str, Tensor]:
        """All tensors of a bundle, by site name or `head/...`; every other tensor is the frozen backbone's."""
        return self.attachment.state() | {f"{HEAD}{name}": each for name, each in self.head.state_dict().items()}

    def load(self, state: dict[str, Tensor], source: str) -> None:
        """Load the tensors that `state` returned. Raises SureError naming `source` and every name that differs."""
        head = {name.removeprefix(HEAD): tensor for name, tensor in state.items() if name.startswith(HEAD)}
        self.attachment.load({name: each for name, each in state.items() if not name.startswith(HEAD)}, source)
        try:
            self.head.load_state_dict(head)
        except RuntimeError as error:
            raise SureError(f"{source}: the head does not fit: {' '.join(str(error).split())}") from None

    def counts(self) -> Counts:
        groups = self.parameter_groups()
        parts = (groups["adapter"].values(), groups["head"].values(), self.parameters())
        adapter, head, total = (sum(parameter.numel() for parameter in part) for part in parts)
        return Counts(adapter, head, total + hidden_parameters(self.backbone))

    def code(self) -> dict[str, str]:
        """Digests of the code of the model, by file."""
        parts = (self, self.backbone, self.task, *self.attachment.methods)
        return code_of(["sure.models.build", *(type(part).__module__ for part in parts)])

    def bundle(self, config: Config, tokens: Path, **facts: Mapping[str, Any]) -> dict[str, bytes]:
        """Contents of the bundle's files by name. tokens: folder with the task's files; facts: `scores`, `code`."""
        counts = self.counts()
        about = {
            "task": config.task,
            "language": config.text.language,
            "method": config.method,
            "seed": config.seed,
            "backbone": {
                "name": config.backbone.name,
                "weights": config.backbone.weights,
                "layers": config.backbone.layers,
                "padding": config.backbone.padding,
                **describe_backbone(self.backbone),
            },
            "petl": [method.saved().model_dump(mode="json") for method in self.attachment.methods],
            "head": config.head.model_dump(mode="json"),
            "parameters": {"adapter": counts.adapter, "head": counts.head, "total": counts.total},
            "scores": {},
            **facts,
        }
        return bundle_files(about, self.state(), {name: (tokens / name).read_bytes() for name in self.task.files()})
