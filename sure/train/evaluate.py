"""Evaluation on the dev set after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from sure.models.base import AdaptedModel
from sure.train.distributed import Processes
from sure.train.feed import Feed


@torch.no_grad()
def evaluate(
    model: AdaptedModel,
    feed: Feed,
    device: torch.device,
    autocast: AbstractContextManager,
    processes: Processes,
    after_batch: Callable[[], None],
) -> dict[str, float]:
    """Mean loss and all scores that are numbers, as `dev_loss`, `dev_wer`, ...

    Process r of n evaluates every n-th batch, starting at batch r. So all scores are of the whole set.
    """
    model.eval()
    plan = feed.plan(0)
    batches = feed.batches(plan[processes.rank :: processes.size])
    evaluated: list[tuple[float, dict[str, Any]]] = []
    for _ in range(0, len(plan), processes.size):
        if batch := next(batches, None):
            with autocast:
                losses, found = model.evaluate_batch(batch.to(device, non_blocking=True))
            evaluated.append((float(losses.double().sum()), dict(zip(batch.ids, found, strict=True))))
        after_batch()
    evaluated = processes.merge(evaluated)
    results = {id: found for _, part in evaluated for id, found in part.items()}
    scores = processes.from_first(lambda: model.task.dev_scores(feed.utterances, results))
    numbers = {f"dev_{name}": float(value) for name, value in scores.items() if isinstance(value, (int, float))}
    return {"dev_loss": sum(loss for loss, _ in evaluated) / len(feed.utterances), **numbers}
