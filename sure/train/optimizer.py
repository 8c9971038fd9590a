"""AdamW with a rate for the adapters and one for the head, and a schedule over the planned steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.optim.lr_scheduler import LambdaLR

from sure.config_sections import TrainConfig
from sure.errors import SureError
from sure.models.base import AdaptedModel


def make_optimizer(model: AdaptedModel, config: TrainConfig) -> torch.optim.AdamW:
    """A group for the head and one for every rate in the adapters: `adapter` for train.lr_adapter, `adapter_0.0001`."""
    parameters = model.parameter_groups()
    rates = {name: float(f"{rate:.4g}") for name, rate in model.attachment.rates(config.lr_adapter).items()}
    groups = [
        {
            "params": [parameter for name, parameter in parameters["adapter"].items() if rates[name] == rate],
            "lr": rate,
            "name": "adapter" if rate == float(f"{config.lr_adapter:.4g}") else f"adapter_{rate:g}",
        }
        for rate in sorted(set(rates.values()), reverse=True)
    ]
    groups.append({"params": list(parameters["head"].values()), "lr": config.lr_head, "name": "head"})
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
