"""A frozen backbone with methods attached and a task's head: what trains in it, what is saved, what is counted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sure.backbones.base import Backbone
from sure.errors import SureError
from sure.petl.attach import Attachment
from sure.tasks.base import AnyTask


@dataclass
class Counts:
    """Parameters: what trains in the backbone and its methods, what trains in the head, and all there are."""

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
    """Base of the models: `SureModel` recognises speech, `SynthesisModel` makes it.

    Called with a batch as its feed gives it, on the model's device, it returns one loss an utterance, (batch,).
    """

    def __init__(self, backbone: Backbone, attachment: Attachment, task: AnyTask, head: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.attachment = attachment
        self.methods = attachment.modules()
        self.task = task
        self.head = head

    @abstractmethod
    def forward(self, batch: Any) -> Tensor: ...

    @abstractmethod
    def judge(self, batch: Any) -> tuple[Tensor, list[Any]]:
        """Of a batch of dev: losses (batch,), and of each utterance what the task makes `dev_scores` of."""

    def finish(self, best: dict[str, Tensor], folder: Path) -> None:
        """At the end of a training, with the best weights as `state` gives them: write what other trainings need."""

    def parameter_groups(self) -> dict[str, dict[str, nn.Parameter]]:
        """`adapter` and `head`: every tensor that trains, by the name it is saved under."""
        head = {f"head/{name}": parameter for name, parameter in self.head.named_parameters()}
        return {"adapter": self.attachment.trained_parameters(), "head": head}

    def state(self) -> dict[str, Tensor]:
        """All that a bundle keeps, by site name and `head/...`; everything else is the frozen backbone."""
        return {
            **self.attachment.state(),
            **{f"head/{name}": tensor for name, tensor in self.head.state_dict().items()},
        }

    def load(self, state: dict[str, Tensor], source: str) -> None:
        """Load what `state` gave, exactly. Raises SureError naming `source` and what differs."""
        head = {name.removeprefix("head/"): tensor for name, tensor in state.items() if name.startswith("head/")}
        self.attachment.load({n: t for n, t in state.items() if not n.startswith("head/")}, source)
        try:
            self.head.load_state_dict(head)
        except RuntimeError as error:
            raise SureError(f"{source}: the head does not fit: {' '.join(str(error).split())}") from None

    def counts(self) -> Counts:
        groups = {
            group: sum(parameter.numel() for parameter in parameters.values())
            for group, parameters in self.parameter_groups().items()
        }
        unique = {id(parameter): parameter.numel() for parameter in self.parameters()}
        return Counts(groups["adapter"], groups["head"], sum(unique.values()))
