"""AdamW with a learning rate for the adapters and one for the head, and a schedule over the planned steps."""

from collections.abc import Callable

import torch

from sure.errors import SureError
from sure.models.base import AdaptedModel


def make_optimizer(model: AdaptedModel, lr_adapter: float, lr_head: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW with one group for each learning rate of the adapters, and one for the head.

    Groups are named `adapter` (rate `lr_adapter`), `adapter_<rate>` (other rates that methods ask for) and `head`.
    """
    parameters = model.parameter_groups()
    rates = {name: float(f"{rate:.4g}") for name, rate in model.attachment.rates(lr_adapter).items()}
    groups = [
        {
            "params": [parameter for name, parameter in parameters["adapter"].items() if rates[name] == rate],
            "lr": rate,
            "name": "adapter" if rate == float(f"{lr_adapter:.4g}") else f"adapter_{rate:g}",
        }
        for rate in sorted(set(rates.values()), reverse=True)
    ]
    groups.append({"params": list(parameters["head"].values()), "lr": lr_head, "name": "head"})
    return torch.optim.AdamW(groups, weight_decay=weight_decay, fused=True)


def rate_factor(warmup: float, hold: float, steps: int) -> Callable[[int], float]:
    """The factor of the peak learning rate by step, from step 0: linear rise, constant, linear fall to 0.

    warmup, hold: fractions of all steps with the rising and the constant rate. Raises SureError if they exceed 1.
    """
    if warmup + hold > 1:
        raise SureError(f"train.warmup={warmup} and train.hold={hold}: their sum must be at most 1, all steps")
    rising, constant = round(warmup * steps), round(hold * steps)
    falling = max(1, steps - rising - constant)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return min(1.0, max(0.0, (steps - step) / falling))

    return factor
