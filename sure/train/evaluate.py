"""The evaluation on dev after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from sure.adapted import AdaptedModel
from sure.train.feeds import AnyFeed


@torch.no_grad()
def evaluate(
    model: AdaptedModel,
    feed: AnyFeed,
    device: torch.device,
    autocast: AbstractContextManager,
    after_batch: Callable[[], None],
) -> dict[str, float]:
    """Mean loss and every score that is a number, as `dev_loss`, `dev_wer`, ..."""
    model.eval()
    total, answers = 0.0, {}
    for batch in feed.batches(feed.plan(0)):
        with autocast:
            losses, found = model.judge(batch.to(device, non_blocking=True))
        total += float(losses.double().sum())
        answers.update(zip(batch.ids, found, strict=True))
        after_batch()
    scores = model.task.dev_scores(feed.utterances, answers)
    numbers = {f"dev_{name}": float(value) for name, value in scores.items() if isinstance(value, (int, float))}
    return {"dev_loss": total / len(feed.utterances), **numbers}
