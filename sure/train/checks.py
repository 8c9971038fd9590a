"""Checks of a training run: every trained tensor gets a gradient, and no loss is NaN or explodes."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sure.errors import SureError, some_of

ADVICE = (
    "The last checkpoint is older. If audio and transcripts are right, try a lower train.lr_adapter or train.lr_head, "
    "or a longer train.warmup (with another --exp)"
)


def check_gradients(parameters: Mapping[str, nn.Parameter]) -> None:
    """After the first backward pass. Raises SureError naming trained tensors without a gradient."""
    if without := [name for name, parameter in parameters.items() if parameter.grad is None]:
        raise SureError(
            f"{len(without)} trained tensors got no gradient, as the loss does not depend on them: {some_of(without)}"
        )


class StepLosses(NamedTuple):
    """Losses of one optimizer step in this process, (batch,) for each of its batches, and the gradient's norm."""

    place: str
    ids: list[str]  # of the utterances
    losses: list[Tensor]
    norm: Tensor


class LossMonitor:
    """Collects losses on the device and checks those of `every` steps at once, as reading them waits for the device.

    gather: returns the values of all processes, so that all of them see the same losses.
    """

    def __init__(self, explode: float, every: int, gather: Callable[[Any], list[Any]] = lambda own: [own]):
        self.explode, self.every, self.gather = explode, every, gather
        self.steps: list[StepLosses] = []

    def add(self, step: StepLosses) -> list[float]:
        """Returns the losses that were checked now, in order; an empty list if it is not yet time to."""
        self.steps.append(step)
        return self.check() if len(self.steps) >= self.every else []

    def check(self) -> list[float]:
        """Check all steps since the last check, and return the losses of their utterances.

        Raises SureError at the first step whose loss or gradient is not finite, or whose mean loss exceeds `explode`.
        """
        steps, self.steps = self.steps, []
        if not steps:
            return []
        sizes = [len(step.ids) + 1 for step in steps]
        together = torch.cat([part.float() for step in steps for part in (*step.losses, step.norm[None])])
        values = [part.tolist() for part in together.cpu().split(sizes)]
        own = [(step.ids, losses) for step, (*losses, _) in zip(steps, values, strict=True)]
        checked: list[float] = []
        for step, (*_, norm), *parts in zip(steps, values, *self.gather(own), strict=True):
            ids, losses = (sum(lists, []) for lists in zip(*parts, strict=True))
            if not math.isfinite(norm) or not sum(losses) <= self.explode * len(losses):
                mean = sum(losses) / len(losses)
                worst = sorted(zip(ids, losses, strict=True), key=lambda pair: (math.isfinite(pair[1]), -pair[1]))
                listed = ", ".join(f"{id} {loss:.4g}" for id, loss in worst)
                raise SureError(
                    f"{step.place}: the loss is {mean:.4g} (limit: train.explode={self.explode:g}), "
                    f"the gradient norm {norm:.4g}; losses of this step: {listed}. {ADVICE}"
                )
            checked += losses
        return checked
