"""Asked to stop by the system: SIGTERM, and SIGUSR1 as Slurm sends it before the time is up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
EXIT_STATUS = 75  # sysexits.h, EX_TEMPFAIL: run the same command again


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
