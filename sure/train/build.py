"""The parts of a training, built from its config and restored from the last checkpoint."""

import json
import logging
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from sure.config import Config
from sure.config_sections import DataConfig
from sure.device import autocast, describe_device, make_repeatable, uses_bf16
from sure.files import replace_file
from sure.interrupt import Interrupt
from sure.models.base import AdaptedModel
from sure.models.build import build_model, kind_of
from sure.models.experiment import Experiment
from sure.petl.store_frozen import store_for_autocast
from sure.recipe.inputs import digest_of_recordings
from sure.tasks.base import AnyTask
from sure.train.checkpoint import Checkpoints
from sure.train.checkpoint_parts import BestWeights, Code, Inputs, Part, RandomState, Tensors
from sure.train.checks import LossMonitor
from sure.train.curves import History
from sure.train.distributed import Processes
from sure.train.left_out import LeftOut
from sure.train.optimizer import make_optimizer, rate_factor
from sure.train.progress import Progress
from sure.train.tracker import Tracker

log = logging.getLogger(__name__)

NEW_PARTS = ("batches", "code")  # checkpoints of earlier versions have none
CACHE = "prefix cache"  # name of the input with the rule of the cache
CUDA_CHECK_EVERY = 20  # steps between checks of the losses on a GPU, each of which waits for the GPU


class Training:
    """The parts of a training, restored from the last checkpoint. Raises SureError for impossible settings."""

    def __init__(
        self,
        config: Config,
        experiment: Experiment,
        interrupt: Interrupt,
        processes: Processes,
        tracker: Tracker | None = None,
    ):
        train, device = config.train, processes.device(config.train.device)
        self.settings, self.device, self.processes, self.interrupt = train, device, processes, interrupt
        make_repeatable(device)
        random_state = RandomState(device, processes)
        random_state.seed(config.seed)
        task = _task(config, experiment, device, processes)
        self.model = build_model(config, task).to(device)
        self.model.backbone.recompute_layers = train.recompute_layers
        self.autocast = autocast(train.precision, device, self.model.backbone.dim)
        if config.backbone.frozen_weights == "auto" and uses_bf16(train.precision, device, self.model.backbone.dim):
            store_for_autocast(self.model.attachment)
        log.info("%s", coverage_table(self.model))
        self.train_feed, self.dev_feed = kind_of(config).feeds(config, self.model)
        self.left_out = LeftOut(self.train_feed, experiment.folder, config.data, processes)
        self.left_out.update()
        self.checkpoints = Checkpoints(experiment.checkpoints)
        saved = processes.from_first(self.checkpoints.load)
        if saved:  # before the schedule, whose length is the number of batches
            self.train_feed.load_state_dict(saved.get("batches", {}))
            if saved["inputs"].get(CACHE) == "":  # it began without a cache, for example because the disk was full
                self.train_feed.drop_cache()
        groups = self.model.parameter_groups()
        self.parameters = {**groups["adapter"], **groups["head"]}  # all that are trained, by saved name
        self.optimizer = make_optimizer(self.model, train.lr_adapter, train.lr_head, train.weight_decay)
        steps = train.epochs * -(-len(self.train_feed.sampler) // train.accumulate)
        self.schedule = LambdaLR(self.optimizer, rate_factor(train.warmup, train.hold, steps))
        self.monitor = LossMonitor(train.explode, CUDA_CHECK_EVERY if device.type == "cuda" else 1, processes.gather)
        self.progress = Progress()
        self.best = BestWeights(self.model, self.progress, experiment, processes.first)
        self.parts = self._restored_parts(experiment, random_state, config.data, saved)
        if processes.first:
            replace_file(experiment.code, json.dumps(self.model.code(), indent=1) + "\n")
        processes.check_same_tensors(self.parameters.values())
        lines = self.progress.history
        self.history = History(experiment.folder, lines, task.score_name, processes.first, tracker)

    def _restored_parts(
        self, experiment: Experiment, random_state: RandomState, data: DataConfig, saved: dict[str, Any] | None
    ) -> dict[str, Part]:
        """The parts of a checkpoint, restored from `saved`, the last one, if there is one."""
        inputs = {"backbone": self.model.backbone.sha256}
        if recordings := digest_of_recordings(data.train):
            inputs["recordings of the training set"] = recordings
        inputs |= {"training set": self.train_feed.digest(), "dev set": self.dev_feed.digest()}
        inputs[CACHE] = self.train_feed.rule
        parts = {
            "inputs": Inputs(inputs, experiment.folder, self.processes),
            "state": self.progress,
            "weights": Tensors(self.parameters, self.model.attachment.current_names),
            "buffers": Tensors(_buffers(self.model)),
            "best_weights": self.best,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "random": random_state,
            "batches": self.train_feed,
            "code": Code(self.model.code() | self.train_feed.code(), experiment, self.processes.first),
        }
        if saved:
            for name, part in parts.items():
                part.load_state_dict(saved.get(name, {}) if name in NEW_PARTS else saved[name])
            log.info("resuming at epoch %d, batch %d", self.progress.epoch, self.progress.batches)
        return parts


def _task(config: Config, experiment: Experiment, device: torch.device, processes: Processes) -> AnyTask:
    """The task with the experiment's tokens or labels, which process 0 copies before the others read them."""
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    if processes.first:
        experiment.write_environment(describe_device(device))
        experiment.task(config)
    processes.wait()
    return experiment.task(config, kept=True)


def _buffers(model: AdaptedModel) -> dict[str, Tensor]:
    """Buffers of methods and head; those of the backbone never change."""
    parts = (("methods", model.methods), ("head", model.head))
    return {f"{part}.{name}": buffer for part, module in parts for name, buffer in module.named_buffers()}


def coverage_table(model: AdaptedModel) -> str:
    """Sites, layers and trained parameters that each pattern of each method matched; all else is frozen."""
    counts = model.counts()
    header = ("method", "pattern", "sites", "layers", "parameters", "percent")
    rows = [
        (row.method, row.pattern, str(row.sites), str(row.layers), *_share(row.parameters, counts.total))
        for row in model.attachment.coverage
    ]
    sums = {"head": counts.head, "trained": counts.trained, "frozen": counts.total - counts.trained}
    rows += [(name, "", "", "", *_share(parameters, counts.total)) for name, parameters in sums.items()]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join([*map(str.ljust, row[:2], widths), *map(str.rjust, row[2:], widths[2:])]) for row in (header, *rows)
    ]
    return "\n".join(["trained parameters:", *lines])


def _share(parameters: int, total: int) -> tuple[str, str]:
    return f"{parameters:,}", f"{100 * parameters / total:.3f} %"
