"""Build the parts of a training from its config, and restore them from the last checkpoint."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from sure.config import Config
from sure.device import autocast, describe_device
from sure.interrupt import Interrupt
from sure.models.base import AdaptedModel
from sure.models.build import build_model, kind_of
from sure.models.experiment import Experiment
from sure.tasks.base import AnyTask
from sure.train.checkpoint import Checkpoints
from sure.train.checkpoint_parts import BestWeights, Inputs, RandomState, Tensors
from sure.train.checks import LossMonitor
from sure.train.curves import History
from sure.train.distributed import Processes
from sure.train.left_out import LeftOut
from sure.train.optimizer import make_optimizer, make_schedule
from sure.train.progress import Progress
from sure.train.summary import coverage_table
from sure.train.trainer import Trainer

log = logging.getLogger(__name__)

CUDA_CHECK_EVERY = 20  # steps between checks of the losses on a GPU, each of which waits for the GPU


def build(config: Config, experiment: Experiment, interrupt: Interrupt, processes: Processes) -> Trainer:
    """The trainer of an experiment, resumed from its last checkpoint. Raises SureError for impossible settings."""
    train, device = config.train, processes.device(config.train.device)
    random_state = RandomState(device, processes)
    random_state.seed(config.seed)
    task = _task(config, experiment, device, processes)
    model = build_model(config, task).to(device)
    log.info("%s", coverage_table(model))
    train_feed, dev_feed = kind_of(config).feeds(config, model)
    skip, max_bad_percent = config.data.on_bad_utterance == "skip", config.data.max_bad_percent
    left_out = LeftOut(train_feed, experiment.folder, skip, max_bad_percent, processes)
    left_out.update()
    parameters = {name: each for group in model.parameter_groups().values() for name, each in group.items()}
    optimizer = make_optimizer(model, train.lr_adapter, train.lr_head, train.weight_decay)
    steps = train.epochs * -(-len(train_feed.sampler) // train.accumulate)
    schedule = make_schedule(optimizer, train.warmup, train.hold, steps)
    progress = Progress()
    best = BestWeights(model, progress, experiment, processes.first)
    inputs = {"backbone": model.backbone.sha256, "training set": train_feed.digest(), "dev set": dev_feed.digest()}
    parts = {
        "inputs": Inputs(inputs, experiment.folder, processes),
        "state": progress,
        "weights": Tensors(parameters, model.attachment.current_names),
        "buffers": Tensors(_buffers(model)),
        "best_weights": best,
        "optimizer": optimizer,
        "schedule": schedule,
        "random": random_state,
    }
    checkpoints = Checkpoints(experiment.checkpoints)
    if saved := processes.from_first(checkpoints.load):
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        log.info("resuming at epoch %d, batch %d", progress.epoch, progress.batches)
    processes.check_same_tensors(parameters.values())
    return Trainer(
        model=model,
        parameters=parameters,
        train_feed=train_feed,
        dev_feed=dev_feed,
        left_out=left_out,
        optimizer=optimizer,
        schedule=schedule,
        autocast=autocast(train.precision, device, model.backbone.dim),
        device=device,
        processes=processes,
        interrupt=interrupt,
        epochs=train.epochs,
        accumulate=train.accumulate,
        clip=train.clip,
        patience=train.patience,
        save_seconds=train.save_minutes * 60,
        monitor=LossMonitor(train.explode, CUDA_CHECK_EVERY if device.type == "cuda" else 1, processes.gather),
        progress=progress,
        best=best,
        history=History(experiment.folder, progress.history, task.score_name, processes.first),
        checkpoints=checkpoints,
        parts=parts,
    )


def _task(config: Config, experiment: Experiment, device: torch.device, processes: Processes) -> AnyTask:
    """The task with the experiment's tokens or labels, which process 0 copies before the others read them."""
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    with processes.first_goes_first():
        if processes.first:
            experiment.write_environment(describe_device(device))
        return experiment.task(config, kept=not processes.first)


def _buffers(model: AdaptedModel) -> dict[str, Tensor]:
    """Buffers of methods and head; those of the backbone never change."""
    parts = (("methods", model.methods), ("head", model.head))
    return {f"{part}.{name}": buffer for part, module in parts for name, buffer in module.named_buffers()}
