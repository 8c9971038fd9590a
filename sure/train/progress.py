"""What a person sees of a running epoch: a bar on a terminal, a line every ten seconds in a log."""

from __future__ import annotations

import logging
import sys
import time

from tqdm import tqdm

log = logging.getLogger(__name__)

LINE_SECONDS = 10.0


class Progress:
    """Loss, rate and seconds of audio per second over an epoch's batches."""

    def __init__(self, name: str, batches: int, done: int, shown: bool = True):
        self.name = name
        self.batches = batches
        self.done = done
        self.audio = 0.0
        self.begun = self.shown = time.monotonic()
        self.bar = tqdm(
            total=batches,
            initial=done,
            desc=name,
            unit="batch",
            leave=False,
            disable=not (shown and sys.stderr.isatty()),
        )

    def step(self, batches: int, audio_seconds: float, loss: float, rate: float) -> None:
        """`batches` more are done; loss: the epoch's mean so far, rate: the learning rate."""
        self.done += batches
        self.audio += audio_seconds
        self.bar.update(batches)
        now = time.monotonic()
        speed = self.audio / max(now - self.begun, 1e-9)
        if not self.bar.disable:
            self.bar.set_postfix_str(f"loss {loss:.4f}, rate {rate:.2e}, {speed:.0f} s/s", refresh=False)
        elif now - self.shown >= LINE_SECONDS:
            self.shown = now
            log.info(
                "%s: batch %d/%d, loss %.4f, rate %.2e, %.0f s of audio/s",
                self.name, self.done, self.batches, loss, rate, speed,
            )  # fmt: skip

    def close(self) -> None:
        self.bar.close()
