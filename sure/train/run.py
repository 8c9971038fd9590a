"""One training in its experiment folder: the lock, the log, and on from the last checkpoint where that is possible."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

from sure.config import Config
from sure.data.dataset import UtteranceError
from sure.errors import SureError
from sure.interrupt import Interrupt
from sure.models.experiment import Experiment
from sure.train.distributed import Processes, joined
from sure.train.lock import lock
from sure.train.trainer import Trainer

log = logging.getLogger(__name__)


def train(config: Config, folder: Path, command: str, restart: bool = False) -> None:
    """Train in an experiment folder, or go on where an earlier call stopped; nothing to do once finished.

    Raises SureError for what a user can put right; SystemExit(75) after SIGTERM or SIGUSR1.
    """
    experiment = Experiment(folder)
    with joined() as processes, ExitStack() as stack:
        if processes.first:
            stack.enter_context(lock(folder))
            if restart:
                experiment.clear()
            experiment.open(config, command)
            stack.enter_context(experiment.logging())
        if processes.of_first(experiment.finished):
            log.info("%s: already finished", folder)
            return
        log.info("%s", command)
        interrupt = Interrupt()
        with interrupt.listening():
            _train(config, experiment, interrupt, processes, command)


def _train(config: Config, experiment: Experiment, interrupt: Interrupt, processes: Processes, command: str) -> None:
    """To the end; with data.on_bad_utterance=skip on from the last checkpoint when a recording went bad meanwhile."""
    while True:
        trainer = Trainer(config, experiment, interrupt, processes)
        try:
            return trainer.run(command)
        except UtteranceError as error:
            if config.data.on_bad_utterance == "skip" and processes.size > 1:
                raise SureError(f"{error}; the same command again goes on without it") from None
            if not trainer.leave_out_bad():
                raise  # of the dev set, which is never cut, or with on_bad_utterance=stop
            log.warning("%s; going on without it from the last checkpoint", error)
        del trainer
