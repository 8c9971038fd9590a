"""Asked to stop by the system: SIGTERM, and SIGUSR1 as Slurm sends it before the time is up."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
EXIT_STATUS = 75  # sysexits.h, EX_TEMPFAIL: run the same command again


def end_when_asked() -> None:
    """Until an Interrupt listens nothing can be lost, so a signal ends the process at once, with the same status."""
    for number in SIGNALS:
        signal.signal(number, lambda number, frame: os._exit(EXIT_STATUS))


class Interrupt:
    """Remembers that a signal came, until the run is at a place where its state can be saved."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        def remember(number: int, frame: object) -> None:
            self.signal = signal.Signals(number)

        before = {number: signal.signal(number, remember) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def stay_with_trainer(worker: int) -> None:
    """For workers of a DataLoader: a SIGTERM sent to a whole job is for the trainer to answer, who still needs them.

    They end by a SIGTERM of the trainer itself, and with it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    threading.Thread(target=_end_when_the_trainer_says, daemon=True).start()


def _end_when_the_trainer_says() -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != os.getppid():
        pass
    os._exit(0)
