"""Progress of an epoch for people: a bar on a terminal, a line every ten seconds in a log file."""

from __future__ import annotations

import logging
import sys
import time

from tqdm import tqdm

log = logging.getLogger(__name__)

LINE_SECONDS = 10.0


class ProgressBar:
    """Loss, learning rate and speed (seconds of audio per second) over the batches of an epoch.

    done: batches used before this run; shown: only process 0 shows a bar.
    """

    def __init__(self, name: str, batches: int, done: int, shown: bool = True):
        self.name = name
        self.audio_seconds = 0.0
        self.begun = self.last_line = time.monotonic()
        disable = not (shown and sys.stderr.isatty())
        self.bar = tqdm(total=batches, initial=done, desc=name, unit="batch", leave=False, disable=disable)
        self.batches, self.done = batches, done

    def update(self, batches: int, audio_seconds: float, loss: float, rate: float) -> None:
        """Add the `batches` of one step. loss: mean of the epoch so far; rate: the learning rate."""
        self.done += batches
        self.audio_seconds += audio_seconds
        self.bar.update(batches)
        now = time.monotonic()
        speed = self.audio_seconds / max(now - self.begun, 1e-9)
        if not self.bar.disable:
            self.bar.set_postfix_str(f"loss {loss:.4f}, rate {rate:.2e}, {speed:.0f} s/s", refresh=False)
        elif now - self.last_line >= LINE_SECONDS:
            self.last_line = now
            log.info(
                "%s: batch %d/%d, loss %.4f, rate %.2e, %.0f s of audio/s",
                self.name, self.done, self.batches, loss, rate, speed,
            )  # fmt: skip

    def close(self) -> None:
        self.bar.close()
