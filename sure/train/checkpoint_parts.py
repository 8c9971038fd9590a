"""Parts of a checkpoint: each saves itself by `state_dict` and restores itself by `load_state_dict`."""

import hashlib
import json
import logging
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from sure.data.dataset import generator_for
from sure.errors import SureError
from sure.files import replace_file
from sure.models.base import AdaptedModel
from sure.models.experiment import Experiment
from sure.provenance import describe_changes
from sure.train.distributed import Processes
from sure.train.progress import Progress

log = logging.getLogger(__name__)


class Part(Protocol):
    """As torch's optimizers and schedules. All processes call both methods; process 0 writes the file."""

    def state_dict(self) -> Any:
        """Tensors and plain containers."""

    def load_state_dict(self, state: Any) -> None: ...


class Tensors:
    """Named parameters or buffers of a model. current_names: translates the names in old checkpoints."""

    def __init__(self, tensors: Mapping[str, Tensor], current_names: Callable[[dict], dict] = dict):
        self.tensors, self.current_names = tensors, current_names

    def state_dict(self) -> dict[str, Tensor]:
        return {name: tensor.detach() for name, tensor in self.tensors.items()}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        state = self.current_names(state)
        for name, tensor in self.tensors.items():
            tensor.copy_(state[name])


class BestWeights:
    """Weights of the epoch with the best dev score, kept in best.safetensors and best.json, which process 0 writes."""

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
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state().items()}
            self._write()
        return True

    def state_dict(self) -> dict[str, Tensor]:
        return self.weights

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Write the files again; `progress` has been restored before."""
        key = f"dev_{self.model.task.score_name}"  # earlier versions chose by WER in languages that have a CER now
        scores = {line["epoch"]: line[key] for line in self.progress.history if key in line}
        self.progress.best_score = scores.get(self.progress.best_epoch, self.progress.best_score)
        self.weights = self.model.attachment.current_names(state)
        if self.weights and self.writes:
            self._write()

    def _write(self) -> None:
        progress, weights = self.progress, safetensors.torch.save(self.weights)
        replace_file(self.experiment.best_weights, weights)
        best = {"epoch": progress.best_epoch, "score_name": self.model.task.score_name, "score": progress.best_score}
        best |= {"loss": progress.best_loss, "sha256": hashlib.sha256(weights).hexdigest()}
        replace_file(self.experiment.best, json.dumps(best) + "\n")


class Inputs:
    """Digests of backbone and data sets, which must be the same in all processes and all runs of one training."""

    def __init__(self, digests: dict[str, str], folder: Path, processes: Processes):
        self.digests, self.folder = digests, folder
        for name, digest in digests.items():
            processes.check_same(f"the {name}", digest)

    def digest_of(self, name: str) -> str:
        """One digest of all inputs whose names end with `name`."""
        digests = [digest for full_name, digest in self.digests.items() if full_name.endswith(name)]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    def state_dict(self) -> dict[str, str]:
        return self.digests

    def load_state_dict(self, state: Mapping[str, str]) -> None:
        """Raises SureError naming the first input that has changed since the checkpoint, which may lack new ones."""
        for name, digest in self.digests.items():
            if state.get(name, digest) != digest:
                raise SureError(
                    f"{self.folder}: the {name} has changed since training was interrupted; restore it, or use another "
                    "--exp (run.sh: --tag NAME), or train from the beginning with --restart"
                )


class Code:
    """Digests of the code of the model. A training that goes on with other code says so."""

    def __init__(self, digests: dict[str, str], experiment: Experiment, writes: bool):
        self.digests, self.experiment, self.writes = digests, experiment, writes

    def state_dict(self) -> dict[str, str]:
        return self.digests

    def load_state_dict(self, state: Mapping[str, str]) -> None:
        if self.writes and not state:
            log.warning(
                "%s was interrupted in an earlier version, which stored no digests of its code; it goes on with this "
                "code, which may compute values that differ in the last digits",
                self.experiment.folder,
            )
        if self.writes and (changed := describe_changes(state, self.digests)):
            log.warning(
                "%s was interrupted before %s changed; it goes on with this code", self.experiment.folder, changed
            )


class RandomState:
    """Random number generators of Python, numpy, torch and the GPU, in every process."""

    def __init__(self, device: torch.device, processes: Processes):
        self.device, self.processes = device, processes

    def seed(self, seed: int) -> None:
        """Seed all generators; each process gets its own seed."""
        if self.processes.rank:
            seed = generator_for(seed, "process", self.processes.rank).initial_seed()
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)

    def state_dict(self) -> list[dict[str, Any]]:
        """One state per process, as plain values."""
        version, numbers, gauss = random.getstate()
        _, keys, *rest = np.random.get_state()
        own = {
            "python": [version, list(numbers), gauss],
            "numpy": [keys.tolist(), *rest],
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }
        return self.processes.gather(own)

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """A process that has no saved state, as there are more processes than before, keeps its seed."""
        rank, size = self.processes.rank, self.processes.size
        states = state if isinstance(state, list) else [state]  # old checkpoints of a single process
        if len(states) != size:
            log.warning("saved by %d processes, resumed by %d: the random numbers will differ", len(states), size)
        if rank >= len(states):
            return
        own = states[rank]
        version, numbers, gauss = own["python"]
        random.setstate((version, tuple(numbers), gauss))
        keys, *rest = own["numpy"]
        np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), *rest))
        torch.set_rng_state(own["torch"])
        if self.device.type == "cuda" and own["cuda"] is not None:  # training may have started on the CPU
            torch.cuda.set_rng_state(own["cuda"], self.device)
