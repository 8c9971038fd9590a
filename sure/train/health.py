"""Checks on a training run: all that is to train gets a gradient, and no loss is NaN or explodes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sure.adapted import AdaptedModel
from sure.errors import SureError

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
    """An optimizer step to be looked at: its place, utterance ids, their losses, the gradient's norm."""

    place: str
    ids: list[str]
    losses: list[Tensor]
    norm: Tensor


class Watch:
    """Collects steps on the device and looks at them every `every`, as looking waits for the device."""

    def __init__(self, explode: float, every: int):
        self.explode = explode
        self.every = every
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
        seen: list[float] = []
        for step, values in zip(steps, together.cpu().split(sizes), strict=True):
            *losses, norm = values.tolist()
            if not math.isfinite(norm) or not sum(losses) <= self.explode * len(losses):
                raise SureError(self._complain(step, losses, norm))
            seen += losses
        return seen

    def _complain(self, step: Step, losses: list[float], norm: float) -> str:
        mean = sum(losses) / len(losses)
        worst = sorted(zip(step.ids, losses, strict=True), key=lambda pair: (math.isfinite(pair[1]), -pair[1]))
        listed = ", ".join(f"{id} {loss:.4g}" for id, loss in worst)
        return (
            f"{step.place}: the loss is {mean:.4g} (train.explode={self.explode:g}), the gradient's norm "
            f"{norm:.4g}; the losses of this batch: {listed}. The last checkpoint is older. {ADVICE}"
        )
