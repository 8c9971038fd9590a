"""Signals that ask a run to save its state and stop: SIGTERM, and SIGUSR1, Slurm's warning before the time limit."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
# run.sh sends SIGTERM whatever stopped it, because background processes of Bash ignore the SIGINT of Ctrl-C
REASONS = {signal.SIGTERM: "asked to stop", signal.SIGUSR1: "asked to stop by SIGUSR1"}
EXIT_STATUS = 75  # sysexits.h, EX_TEMPFAIL: run the same command again


def end_when_asked() -> None:
    """Until an Interrupt listens there is no state to save: a signal ends the process at once, with EXIT_STATUS."""
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: os._exit(EXIT_STATUS))


class Interrupt:
    """Remembers a received signal until the run reaches a point where its state can be saved."""

    signal: signal.Signals | None = None

    @contextmanager
    def listening(self) -> Iterator[Interrupt]:
        def remember(number: int, frame: object) -> None:
            self.signal = signal.Signals(number)

        before = {number: signal.signal(number, remember) for number in SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def stay_with_trainer(worker: int) -> None:
    """For workers of a DataLoader: ignore a SIGTERM that is sent to the whole job, as the trainer still needs them.

    They end on a SIGTERM from the trainer, and with the trainer.
    """

    def end_on_sigterm_of_trainer() -> None:
        while signal.sigwaitinfo([signal.SIGTERM]).si_pid != os.getppid():
            pass
        os._exit(0)

    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    threading.Thread(target=end_on_sigterm_of_trainer, daemon=True).start()
