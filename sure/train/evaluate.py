"""The evaluation on dev after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from sure.models.base import AdaptedModel
from sure.train.distributed import Processes
from sure.train.feed import AnyFeed


@torch.no_grad()
def evaluate(
    model: AdaptedModel,
    feed: AnyFeed,
    device: torch.device,
    autocast: AbstractContextManager,
    processes: Processes,
    after_batch: Callable[[], None],
) -> dict[str, float]:
    """Mean loss and every score that is a number, as `dev_loss`, `dev_wer`, ...

    Process r of n decodes every nth batch from r on; so the numbers are those of one process.
    """
    model.eval()
    plan = feed.plan(0)
    batches = feed.batches(plan[processes.rank :: processes.size])
    judged: list[tuple[float, dict[str, Any]]] = []
    for _ in range(0, len(plan), processes.size):
        if batch := next(batches, None):
            with autocast:
                losses, found = model.judge(batch.to(device, non_blocking=True))
            judged.append((float(losses.double().sum()), dict(zip(batch.ids, found, strict=True))))
        after_batch()
    judged = processes.merge(judged)
    answers = {id: found for _, part in judged for id, found in part.items()}
    scores = processes.from_first(lambda: model.task.dev_scores(feed.utterances, answers))
    numbers = {f"dev_{name}": float(value) for name, value in scores.items() if isinstance(value, (int, float))}
    return {"dev_loss": sum(loss for loss, _ in judged) / len(feed.utterances), **numbers}
