"""Checks on a training run: all that is to train gets a gradient, and no loss is NaN or explodes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sure.errors import SureError
from sure.models.base import AdaptedModel

NAMED = 5  # tensors in an error
ADVICE = (
    "If audio and texts are right, a lower train.lr_adapter or train.lr_head, or a longer train.warmup, may help "
    "(with another --exp)"
)


def check_gradients(model: AdaptedModel) -> None:
    """After the first backward pass. Raises SureError naming what trains in name only."""
    without = [
        name
        for parameters in model.parameter_groups().values()
        for name, parameter in parameters.items()
        if parameter.grad is None
    ]
    if without:
        more = ", ..." if len(without) > NAMED else ""
        raise SureError(
            f"{len(without)} tensors are to train and got no gradient: {', '.join(without[:NAMED])}{more}; "
            "nothing that the loss depends on uses them"
        )


def check_dev_loss(epoch: int, loss: float) -> None:
    """The last step of a training is seen here only. Raises SureError before its weights are kept."""
    if not math.isfinite(loss):
        raise SureError(f"epoch {epoch}: the dev loss is {loss:.4g}. The last checkpoint is older. {ADVICE}")


@dataclass
class Step:
    """An optimizer step to be looked at: its place, this process's utterances, their losses, the gradient's norm."""

    place: str
    ids: list[str]
    losses: list[Tensor]
    norm: Tensor


class Watch:
    """Collects steps on the device and looks at them every `every`, as looking waits for the device.

    gather: gives every process what each has of a step, so that all see the same.
    """

    def __init__(self, explode: float, every: int, gather: Callable[[Any], list[Any]] = lambda own: [own]):
        self.explode = explode
        self.every = every
        self.gather = gather
        self.steps: list[Step] = []

    def add(self, step: Step) -> list[float]:
        self.steps.append(step)
        return self.look() if len(self.steps) >= self.every else []

    def look(self) -> list[float]:
        """The losses, one an utterance, of all steps not looked at before.

        Raises SureError at the first step whose loss or gradient is not finite, or whose mean loss explodes.
        """
        steps, self.steps = self.steps, []
        if not steps:
            return []
        sizes = [len(step.ids) + 1 for step in steps]
        together = torch.cat([part.float() for step in steps for part in (*step.losses, step.norm[None])])
        values = [part.tolist() for part in together.cpu().split(sizes)]
        own = [(step.ids, losses) for step, (*losses, _) in zip(steps, values, strict=True)]
        seen: list[float] = []
        for step, (*_, norm), *parts in zip(steps, values, *self.gather(own), strict=True):
            ids, losses = (sum(lists, []) for lists in zip(*parts, strict=True))
            if not math.isfinite(norm) or not sum(losses) <= self.explode * len(losses):
                raise SureError(self._complain(step, ids, losses, norm))
            seen += losses
        return seen

    def _complain(self, step: Step, ids: list[str], losses: list[float], norm: float) -> str:
        mean = sum(losses) / len(losses)
        worst = sorted(zip(ids, losses, strict=True), key=lambda pair: (math.isfinite(pair[1]), -pair[1]))
        listed = ", ".join(f"{id} {loss:.4g}" for id, loss in worst)
        return (
            f"{step.place}: the loss is {mean:.4g} (train.explode={self.explode:g}), the gradient's norm "
            f"{norm:.4g}; the losses of this batch: {listed}. The last checkpoint is older. {ADVICE}"
        )
