"""Weights of the epoch with the best dev score: in memory, in checkpoints, and in best.safetensors."""

from __future__ import annotations

import hashlib
import json

import safetensors.torch
import torch
from torch import Tensor

from sure.files import replace_file
from sure.models.base import AdaptedModel
from sure.models.experiment import Experiment
from sure.train.progress import Progress


class BestWeights:
    """`best.safetensors`, and `best.json` with epoch, score, loss and digest; process 0 writes them."""

    def __init__(self, model: AdaptedModel, progress: Progress, experiment: Experiment, writes: bool):
        self.model, self.progress, self.experiment, self.writes = model, progress, experiment, writes
        self.weights: dict[str, Tensor] = {}

    def update(self, score: float, loss: float) -> bool:
        """Keep the model's weights if this epoch is the best so far. Returns whether it is.

        Of equal scores, which are common with few utterances and early in CTC training, the lower loss is better.
        """
        progress, sign = self.progress, 1 if self.model.task.higher_is_better else -1
        better = (sign * score, -loss) > (sign * progress.best_score, -progress.best_loss)
        if progress.best_epoch and not better:
            return False
        progress.best_epoch, progress.best_score, progress.best_loss = progress.epoch, score, loss
        if self.writes:
            with torch.no_grad():
                weights = self.model.state()
            self.weights = {name: tensor.cpu().clone() for name, tensor in weights.items()}
            self._write()
        return True

    def state_dict(self) -> dict[str, Tensor]:
        return self.weights

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Write the files again; `progress` has been restored before."""
        self.weights = self.model.attachment.current_names(state)
        if self.weights and self.writes:
            self._write()

    def _write(self) -> None:
        progress, weights = self.progress, safetensors.torch.save(self.weights)
        replace_file(self.experiment.best_weights, weights)
        best = {"epoch": progress.best_epoch, "score_name": self.model.task.score_name, "score": progress.best_score}
        digest = {"loss": progress.best_loss, "sha256": hashlib.sha256(weights).hexdigest()}
        replace_file(self.experiment.best, json.dumps({**best, **digest}) + "\n")
