"""AdamW with a rate for the adapters and one for the head, and a schedule over the planned steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.optim.lr_scheduler import LambdaLR

from sure.config import TrainConfig
from sure.errors import SureError
from sure.model import SureModel


def make_optimizer(model: SureModel, config: TrainConfig) -> torch.optim.AdamW:
    """One group each for `adapter` and `head`, where they have anything that trains."""
    rates = {"adapter": config.lr_adapter, "head": config.lr_head}
    groups = [
        {"params": list(parameters.values()), "lr": rates[name], "name": name}
        for name, parameters in model.parameter_groups().items()
        if parameters
    ]
    return torch.optim.AdamW(groups, weight_decay=config.weight_decay, fused=True)


def make_schedule(optimizer: torch.optim.Optimizer, config: TrainConfig, steps: int) -> LambdaLR:
    return LambdaLR(optimizer, rate_factor(config.warmup, config.hold, steps))


def rate_factor(warmup: float, hold: float, steps: int) -> Callable[[int], float]:
    """The part of the peak rate at a step, the first being 0: linear rise, constant, linear fall to 0.

    warmup, hold: parts of all steps with the rising and the constant rate. Raises SureError over 1.
    """
    if warmup + hold > 1:
        raise SureError(f"train.warmup={warmup} and train.hold={hold}: together at most 1, the whole training")
    rising, constant = round(warmup * steps), round(hold * steps)
    falling = max(1, steps - rising - constant)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return min(1.0, max(0.0, (steps - step) / falling))

    return factor
