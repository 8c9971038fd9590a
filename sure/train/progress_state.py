"""Where a training stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class State:
    """Where training stands. With weights, optimizer and random numbers, it is what a checkpoint holds."""

    epoch: int = 1  # the one that runs
    batches: int = 0  # of it that are done
    steps: int = 0  # of the optimizer, over all epochs
    loss_sum: float = 0.0  # of this epoch, over `utterances`
    utterances: int = 0
    audio_seconds: float = 0.0
    epoch_seconds: float = 0.0  # of this epoch's training
    training_seconds: float = 0.0  # of everything, over all calls
    best_epoch: int = 0
    best_score: float = 0.0
    best_loss: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
