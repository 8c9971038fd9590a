"""One training in its experiment folder: lock, log, training from the last checkpoint on, summary."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

from sure.config import Config
from sure.data.dataset import UtteranceError
from sure.interrupt import Interrupt
from sure.models.experiment import Experiment
from sure.train.build import build
from sure.train.distributed import Processes, joined
from sure.train.lock import lock
from sure.train.summary import summarise
from sure.train.trainer import Trainer

log = logging.getLogger(__name__)


def train(config: Config, folder: Path, command: str, restart: bool = False) -> None:
    """Train in an experiment folder, or continue where an earlier call stopped; a finished training stays as it is.

    restart: delete earlier results first. Raises SureError for problems that a user can fix, and SystemExit(75) after
    SIGTERM or SIGUSR1.
    """
    experiment = Experiment(folder)
    with joined() as processes, ExitStack() as stack:
        if processes.first:
            stack.enter_context(lock(folder))
            if restart:
                experiment.clear()
            experiment.open(config, command)
            stack.enter_context(experiment.logging())
        if processes.from_first(experiment.finished):
            log.info("%s: already finished", folder)
            return
        log.info("%s", command)
        interrupt = Interrupt()
        with interrupt.listening():
            trainer = _fit(config, experiment, interrupt, processes)
            if processes.first:
                trainer.history.draw()
                trainer.model.finish(trainer.best.weights, folder)
                experiment.write_summary(summarise(experiment, config, trainer, command))
        progress, score_name = trainer.progress, trainer.model.task.score_name
        log.info("finished: dev %s %.2f at epoch %d", score_name, progress.best_score, progress.best_epoch)


def _fit(config: Config, experiment: Experiment, interrupt: Interrupt, processes: Processes) -> Trainer:
    """Train to the end; continue from the last checkpoint without recordings that became unreadable meanwhile."""
    while True:
        trainer = build(config, experiment, interrupt, processes)
        try:
            trainer.fit()
            return trainer
        except UtteranceError as error:
            trainer.left_out.add_after(error)
            log.warning("%s; continuing from the last checkpoint without it", error)
        del trainer
