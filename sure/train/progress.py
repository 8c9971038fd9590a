"""Progress of a training run: as stored in checkpoints, and shown for the current epoch."""

import dataclasses
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

log = logging.getLogger(__name__)

LINE_SECONDS = 10.0  # between lines of progress in a log file
SWEEP = "SURE_SWEEP"  # variable of run.sh: seconds of the epoch at the start, trainings at once, and their folders


@dataclass
class Progress:
    """Position, sums and times of a training run, over all processes and all restarts."""

    epoch: int = 1  # the current epoch
    batches: int = 0  # batches of the current epoch that have been used
    steps: int = 0  # optimizer steps, over all epochs
    loss_sum: float = 0.0  # of the current epoch, over `utterances`
    utterances: int = 0
    audio_seconds: float = 0.0  # of the current epoch
    epoch_seconds: float = 0.0  # time spent on training steps in the current epoch
    training_seconds: float = 0.0  # total time, over all epochs and restarts
    best_epoch: int = 0  # 0: no epoch has been evaluated yet
    best_score: float = 0.0  # dev score of the best epoch
    best_loss: float = 0.0  # dev loss of the best epoch
    history: list[dict[str, Any]] = field(default_factory=list)  # one line per epoch, as in metrics.jsonl

    def __post_init__(self) -> None:
        self._clock = time.monotonic()

    @property
    def mean_loss(self) -> float:
        """Mean training loss per utterance of the current epoch; 0 before the first utterance."""
        return self.loss_sum / max(self.utterances, 1)

    def add_losses(self, losses: Sequence[float]) -> None:
        self.loss_sum += sum(losses)
        self.utterances += len(losses)

    def add_step(self, batches: int, audio_seconds: float) -> None:
        self.batches += batches
        self.steps += 1
        self.audio_seconds += audio_seconds

    def add_time(self, training: bool = False) -> None:
        """Add the time since the last call; training: it was spent on training steps."""
        now = time.monotonic()
        self.training_seconds += now - self._clock
        self.epoch_seconds += now - self._clock if training else 0.0
        self._clock = now

    def start_next_epoch(self) -> None:
        self.epoch += 1
        self.batches = self.utterances = 0
        self.loss_sum = self.audio_seconds = self.epoch_seconds = 0.0

    def state_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)


class TimeLeft:
    """Estimates of the time until this training ends, and until all trainings of a stage of run.sh end.

    part: finished part of this training when the process begins. The estimates assume that all trainings take as long
    and that none stops early.
    """

    def __init__(self, part: float):
        self.part, self.begun = part, time.time()
        start, at_once, *folders = os.environ.get(SWEEP, "").split() or ("0", "1")
        self.start, self.at_once = int(start), int(at_once)
        self.summaries = [Path(folder, "summary.json") for folder in folders]

    def describe(self, part: float) -> str:
        """`3 min left`, or `3 min left; 2 of 12 trainings done, 40 min left`. part: finished part of this training."""
        gained, now = part - self.part, time.time()
        if gained <= 0:
            return ""
        text = f"{spell_duration((now - self.begun) * (1 - part) / gained)} left"
        total, done = len(self.summaries), sum(_time(path) >= self.start for path in self.summaries)
        if total < 2:
            return text
        finished = done + gained * min(self.at_once, total - done)
        left = (now - self.start) * (total - self.part - finished) / finished
        return f"{text}; {done} of {total} trainings done, {spell_duration(left)} left"


def spell_duration(seconds: float) -> str:
    """`40 s`, `12 min` or `3.5 h`."""
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _time(path: Path) -> float:
    """Modification time in seconds of the epoch; 0 where there is no file."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


class ProgressBar:
    """Loss, learning rate and speed (seconds of audio per second) of an epoch: a bar on a terminal, else log lines.

    done: batches used before this run; shown: only process 0 shows a bar.
    """

    def __init__(self, name: str, batches: int, done: int, shown: bool = True):
        self.name, self.batches, self.done, self.audio_seconds = name, batches, done, 0.0
        self.begun = self.last_line = time.monotonic()
        disable = not (shown and sys.stderr.isatty())
        self.bar = tqdm(total=batches, initial=done, desc=name, unit="batch", leave=False, disable=disable)

    def update(self, batches: int, audio_seconds: float, loss: float, rate: float, left: str) -> None:
        """Add the `batches` of one step. loss: mean of the epoch so far; rate: the learning rate; left: of TimeLeft."""
        self.done += batches
        self.audio_seconds += audio_seconds
        self.bar.update(batches)
        now = time.monotonic()
        speed = self.audio_seconds / max(now - self.begun, 1e-9)
        if not self.bar.disable:
            parts = [f"loss {loss:.4f}", f"rate {rate:.2e}", f"{speed:.0f} s/s", left]
            self.bar.set_postfix_str(", ".join(filter(None, parts)), refresh=False)
        elif now - self.last_line >= LINE_SECONDS:
            self.last_line = now
            log.info(
                "%s: batch %d/%d, loss %.4f, rate %.2e, %.0f s of audio/s%s",
                self.name, self.done, self.batches, loss, rate, speed, left and f", {left}",
            )  # fmt: skip

    def close(self) -> None:
        self.bar.close()
