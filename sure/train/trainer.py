"""The training loop: epochs of optimizer steps, evaluation on the dev set, checkpoints."""

import logging
import math
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

from sure.device import peak_memory_megabytes
from sure.errors import SureError
from sure.interrupt import EXIT_STATUS, REASONS
from sure.progress import progress_bar
from sure.train.build import CACHE, Training
from sure.train.checks import ADVICE, StepLosses, check_gradients
from sure.train.progress import ProgressBar, TimeLeft

log = logging.getLogger(__name__)

DRAW_EVERY_SECONDS = 10.0  # curves are drawn after each epoch that took longer, and at the end of training


@dataclass
class Step:
    """One optimizer step: this process's share of its batches, and its size over all processes."""

    own_batches: Iterator[Any]
    batches: int
    utterances: int
    audio_seconds: float


class Trainer(Training):
    """The loop over the parts of a training."""

    def fit(self, last: int | None = None) -> bool:
        """Train from the current epoch to the epoch `last` (default: of all), or until patience runs out.

        Returns whether training has ended, so that a call with a later epoch would add nothing.

        Each step follows the gradient of the mean loss of its utterances; processes add the gradients of their shares.
        """
        progress, gradients_checked = self.progress, False
        self.last_save = time.monotonic()
        if not self.parameters:
            return self.score_untrained()
        self.train_feed.fill_cache("the training set", self.save_or_stop, self.processes)
        self.parts["inputs"].digests[CACHE] = self.train_feed.rule  # there may be no space for the planned one
        self.dev_feed.fill_cache("the dev set", self.save_or_stop, self.processes)
        self.last = last or self.settings.epochs
        self.time_left = TimeLeft(self.part())
        while progress.epoch <= self.last:
            if self.out_of_patience():
                return True
            progress.add_time()
            self.model.train()
            for step in self.steps():
                ids, losses = [], []
                for batch in step.own_batches:
                    with self.autocast:
                        loss = self.model(batch.to(self.device, non_blocking=True))
                    (loss.sum() / step.utterances).backward()
                    ids += batch.ids
                    losses.append(loss.detach())
                if losses and not gradients_checked:
                    check_gradients(self.parameters)
                    gradients_checked = True
                self.processes.sum_gradients(self.parameters.values())
                norm = clip_grad_norm_(self.parameters.values(), self.settings.clip)
                place = f"epoch {progress.epoch}, step {progress.steps + 1}"
                progress.add_losses(self.monitor.add(StepLosses(place, ids, losses, norm)))
                self.optimizer.step()
                self.schedule.step()
                self.optimizer.zero_grad(set_to_none=True)
                progress.add_step(step.batches, step.audio_seconds)
                self.save_or_stop(training=True)
            progress.add_losses(self.monitor.check())
            progress.add_time(training=True)
            self.processes.check_same_tensors(self.parameters.values())
            self.finish_epoch(self.evaluate())
            self.save()
        return progress.epoch > self.settings.epochs

    def score_untrained(self) -> bool:
        """Score a model without trained parameters on dev, once: a recogniser that stays as it is."""
        if not self.progress.history:
            self.dev_feed.fill_cache("the dev set", self.save_or_stop, self.processes)
            self.finish_epoch(self.evaluate())
            self.save()
        return True

    def steps(self) -> Iterator[Step]:
        """The remaining steps of the current epoch."""
        progress, feed, size = self.progress, self.train_feed, self.settings.accumulate
        plan = feed.plan(progress.epoch)
        groups = [plan[start : start + size] for start in range(progress.batches, len(plan), size)]
        shares = [self.processes.share(group) for group in groups]
        batches = feed.batches([batch for share in shares for batch in share])
        title = f"epoch {progress.epoch}/{self.settings.epochs}"
        bar = ProgressBar(title, len(plan), progress.batches, self.processes.first)
        for group, share in zip(groups, shares, strict=True):
            indices = [index for batch in group for index in batch]
            seconds = sum(feed.seconds[index] for index in indices)
            yield Step(islice(batches, len(share)), len(group), len(indices), seconds)
            left = self.time_left.describe(self.part((bar.done + len(group)) / len(plan)))
            bar.update(len(group), seconds, progress.mean_loss, self.schedule.get_last_lr()[0], left)
        bar.close()

    def part(self, of_epoch: float = 0.0) -> float:
        """Finished part of the epochs of this call. of_epoch: finished part of the current epoch."""
        return (self.progress.epoch - 1 + of_epoch) / self.last

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Mean loss and all scores of the dev set that are numbers, as `dev_loss`, `dev_wer`, ...

        Process r of n evaluates every n-th batch, starting at batch r. So all scores are of the whole set.
        """
        self.model.eval()
        feed, processes = self.dev_feed, self.processes
        plan = feed.plan(0)
        batches = feed.batches(plan[processes.rank :: processes.size])
        evaluated: list[tuple[float, dict[str, Any]]] = []
        rounds = range(0, len(plan), processes.size)
        for _ in progress_bar(rounds, "dev set", unit="batch", disable=not processes.first):
            if batch := next(batches, None):
                with self.autocast:
                    losses, found = self.model.evaluate_batch(batch.to(self.device, non_blocking=True))
                evaluated.append((float(losses.double().sum()), dict(zip(batch.ids, found, strict=True))))
            self.save_or_stop()
        evaluated = processes.merge(evaluated)
        results = {id: found for _, part in evaluated for id, found in part.items()}
        scores = processes.from_first(lambda: self.model.task.dev_scores(feed.utterances, results))
        numbers = {f"dev_{name}": float(value) for name, value in scores.items() if isinstance(value, (int, float))}
        return {"dev_loss": sum(loss for loss, _ in evaluated) / len(feed.utterances), **numbers}

    def finish_epoch(self, dev: dict[str, float]) -> None:
        """Keep the weights if they are the best so far, and report the epoch. dev: loss and scores of the dev set."""
        progress, score_name = self.progress, self.model.task.score_name
        score, loss = dev[f"dev_{score_name}"], dev["dev_loss"]
        if not math.isfinite(loss):  # the last step ruined the weights
            raise SureError(f"epoch {progress.epoch}: the dev loss is {loss:.4g}. {ADVICE}")
        best = self.best.update(score, loss)
        rates = zip(self.optimizer.param_groups, self.schedule.get_last_lr(), strict=True)
        line = {
            "epoch": progress.epoch,
            "step": progress.steps,
            "train_loss": progress.mean_loss,
            **dev,
            **{f"lr_{group['name']}": rate for group, rate in rates},
            "seconds": round(progress.epoch_seconds, 3),
            "audio_seconds_per_second": round(progress.audio_seconds / max(progress.epoch_seconds, 1e-9), 1),
            "peak_memory_megabytes": round(max(self.processes.gather(peak_memory_megabytes(self.device))), 1),
        }
        left = self.time_left.describe(self.part(1.0)) if self.parameters and progress.epoch < self.last else ""
        log.info(
            "epoch %d: train loss %.4f, dev loss %.4f, dev %s %.2f%s, %.1f s, %.0f s of audio/s%s",
            progress.epoch, line["train_loss"], loss, score_name, score, " (best)" if best else "",
            progress.epoch_seconds, line["audio_seconds_per_second"], left and f", {left}",
        )  # fmt: skip
        self.history.add(line)
        if progress.epoch_seconds > DRAW_EVERY_SECONDS:
            self.history.draw()
        progress.start_next_epoch()

    def out_of_patience(self) -> bool:
        """Whether the dev score has not improved for `train.patience` epochs."""
        since = self.progress.epoch - 1 - self.progress.best_epoch
        if not self.settings.patience or since < self.settings.patience:
            return False
        log.info("stopping early: dev %s has not improved for %d epochs", self.model.task.score_name, since)
        return True

    def save_or_stop(self, training: bool = False) -> None:
        """Save a checkpoint when one is due, and stop when one of the processes got a signal. As `save`."""
        due = training and time.monotonic() - self.last_save > 60 * self.settings.save_minutes
        asked, due = self.processes.maximum([self.interrupt.signal or 0, due])
        if asked or due:
            self.save(training)
        if asked:
            self.processes.wait()  # until process 0 has saved
            log.info("%s: saved; run the same command again to continue", REASONS[signal.Signals(asked)])
            raise SystemExit(EXIT_STATUS)

    def save(self, training: bool = False) -> None:
        """Save a checkpoint. training: within the steps of an epoch; the time since the last call counts as theirs."""
        self.progress.add_losses(self.monitor.check())
        self.progress.add_time(training)
        state = {name: part.state_dict() for name, part in self.parts.items()}
        if self.processes.first:
            self.checkpoints.save(state)
        self.last_save = time.monotonic()
