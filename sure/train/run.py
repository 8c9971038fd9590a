"""One training in its experiment folder: lock, log, training from the last checkpoint on, summary."""

import datetime
import logging
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from sure.config import Config
from sure.data.dataset import UtteranceError
from sure.device import describe_device, peak_memory_megabytes
from sure.errors import SureError
from sure.interrupt import Interrupt
from sure.models.experiment import Experiment
from sure.provenance import git_hash
from sure.recipe.halving import last_epoch
from sure.train.distributed import Processes, joined
from sure.train.lock import lock
from sure.train.memory import fit_into_memory, write_choice
from sure.train.tracker import Tracker, tracked
from sure.train.trainer import Trainer

log = logging.getLogger(__name__)


def train(config: Config, folder: Path, command: str, restart: bool = False, part: Fraction = Fraction(1)) -> None:
    """Train in an experiment folder, or continue where an earlier call stopped; a finished training stays as it is.

    restart: delete earlier results first. part: stop after this part of all epochs, without a summary; the learning
    rate is that of the whole training, which a call with a larger part continues. Raises SureError for problems that a
    user can fix, and SystemExit(75) after SIGTERM or SIGUSR1.
    """
    experiment = Experiment(folder)
    with joined() as processes, ExitStack() as stack:
        if processes.first:
            stack.enter_context(lock(folder))
            config, memory = fit_into_memory(experiment.with_commit(config), experiment, restart)
            replaced = _clear(experiment, config) if restart else []
            experiment.open(config, command)
            stack.enter_context(experiment.logging())
            write_choice(memory, experiment)
            if replaced:
                log.warning("%s: deleted the training with another config (%s)", folder, "; ".join(replaced))
        config = processes.from_first(lambda: config)
        if processes.from_first(experiment.finished):
            log.info("%s: already finished", folder)
            return
        log.info("%s", command)
        tracker = stack.enter_context(tracked(config, experiment)) if processes.first else None
        with Interrupt().listening() as interrupt:
            last = last_epoch(part, config.train.epochs)
            trainer, ended = _fit(config, experiment, interrupt, processes, last, tracker)
            if processes.first and ended:
                trainer.history.draw()
                trainer.model.finish(trainer.best.weights, folder)
                experiment.write_summary(_summary(experiment, config, trainer, command))
        progress, score_name = trainer.progress, trainer.model.task.score_name
        if not ended:
            log.info("stopped after epoch %d of %d (--part %s)", progress.epoch - 1, config.train.epochs, part)
            return
        log.info("finished: dev %s %.2f at epoch %d", score_name, progress.best_score, progress.best_epoch)


def _clear(experiment: Experiment, config: Config) -> list[str]:
    """Delete earlier results. Returns how their config differs."""
    differences: list[str] = []
    with suppress(SureError):  # a damaged config.yaml
        differences = experiment.differences(config)
    experiment.clear()
    return differences


def _fit(
    config: Config,
    experiment: Experiment,
    interrupt: Interrupt,
    processes: Processes,
    last: int,
    tracker: Tracker | None,
) -> tuple[Trainer, bool]:
    """Train up to the epoch `last`; continue without recordings that became unreadable meanwhile.

    Returns the trainer, and whether training has ended.
    """
    while True:
        trainer = Trainer(config, experiment, interrupt, processes, tracker)
        try:
            return trainer, trainer.fit(last)
        except UtteranceError as error:
            trainer.left_out.add_after(error)
            log.warning("%s; continuing from the last checkpoint without it", error)
        del trainer


def _summary(experiment: Experiment, config: Config, trainer: Trainer, command: str) -> dict[str, Any]:
    """The content of summary.json, from which scores and reports quote."""
    model, progress, device = trainer.model, trainer.progress, trainer.device
    counts = model.counts()
    return {
        "task": config.task,
        "method": config.method,
        "trained_parameters": counts.trained,
        "adapter_parameters": counts.adapter,
        "head_parameters": counts.head,
        "total_parameters": counts.total,
        "trained_percent": counts.percent,
        "bundle_bytes": sum(map(len, model.bundle(config, experiment.tokens).values())),
        "training_seconds": round(progress.training_seconds, 1),
        "peak_memory_megabytes": round(peak_memory_megabytes(device), 1),
        "device": describe_device(device),
        "seed": config.seed,
        "git_hash": git_hash(),
        "backbone": config.backbone.name,
        "backbone_sha256": model.backbone.sha256,
        "backbone_weights": config.backbone.weights,
        "epochs": len(progress.history),
        "best_epoch": progress.best_epoch,
        "dev_score": progress.best_score,
        "dev_score_name": model.task.score_name,
        "lr_adapter": config.train.lr_adapter,
        "lr_head": config.train.lr_head,
        "training_set_sha256": trainer.parts["inputs"].digest_of("training set"),
        "dev_set_sha256": trainer.parts["inputs"].digest_of("dev set"),
        "command": command,
        "date": datetime.date.today().isoformat(),
        "processes": trainer.processes.size,
    }
