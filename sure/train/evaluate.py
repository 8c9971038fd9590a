"""The forward pass of a batch from either source, and the evaluation on dev after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from sure.backbones.base import Encoded
from sure.data.collate import Batch
from sure.model import SureModel
from sure.train.feed import Feed
from sure.train.prefix_cache import Features


def encode(model: SureModel, batch: Batch | Features, device: torch.device) -> Encoded:
    """All taps of a batch, from its audio or on from where the prefix cache ends."""
    if isinstance(batch, Features):
        taps = [None if tap is None else tap.to(device, non_blocking=True) for tap in batch.taps]
        return model.encode_from(taps, batch.lengths)
    return model.encode(batch.waves.to(device, non_blocking=True), batch.wave_lengths)


@torch.no_grad()
def evaluate(
    model: SureModel,
    feed: Feed,
    device: torch.device,
    autocast: AbstractContextManager,
    after_batch: Callable[[], None],
) -> dict[str, float]:
    """Mean loss and every score that is a number, as `dev_loss`, `dev_wer`, ..."""
    model.eval()
    total, hypotheses = 0.0, {}
    for batch in feed.batches(feed.plan(0)):
        with autocast:
            encoded = encode(model, batch, device)
            outputs = model.outputs(encoded).float()
        total += float(model.task.loss(outputs, encoded.lengths, batch.targets).double().sum())
        hypotheses.update(zip(batch.ids, model.task.decode(outputs, encoded.lengths), strict=True))
        after_batch()
    references = {utterance.id: model.task.reference(utterance) for utterance in feed.utterances}
    scores = model.task.score(references, {id: hypotheses[id] for id in references})
    numbers = {f"dev_{name}": float(value) for name, value in scores.items() if isinstance(value, (int, float))}
    return {"dev_loss": total / len(references), **numbers}
