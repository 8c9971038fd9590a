"""The training loop: epochs over batches by seconds, dev scores, checkpoints; running it again goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import signal
import time
from collections.abc import Iterator
from itertools import islice

import safetensors.torch
import torch
from torch import Tensor

from sure.config import Config
from sure.device import autocast, describe_device, peak_memory_megabytes
from sure.errors import SureError
from sure.files import replace_file
from sure.interrupt import EXIT_STATUS, Interrupt
from sure.models.build import build_model
from sure.models.experiment import Experiment
from sure.train.checkpoint import Checkpoints, random_state, restore_random_state, seed_everything
from sure.train.checks import Step, Watch, check_dev_loss, check_gradients
from sure.train.curves import History
from sure.train.distributed import Processes
from sure.train.evaluate import evaluate
from sure.train.feed import make_feeds
from sure.train.feed_recognition import Feed
from sure.train.left_out import FILE, leave_out_bad, read_left_out
from sure.train.optimizer import make_optimizer, make_schedule
from sure.train.progress import Progress
from sure.train.progress_state import State
from sure.train.summary import coverage_table, summarise

log = logging.getLogger(__name__)

CUDA_LOOKS_EVERY = 20  # steps between looks at the losses on a GPU, each of which waits for it
DRAW_EVERY_SECONDS = 10.0  # curves are drawn after an epoch that took longer, and at the end


class Trainer:
    """Model, data and state of one experiment."""

    def __init__(self, config: Config, experiment: Experiment, interrupt: Interrupt, processes: Processes):
        self.config, self.experiment, self.interrupt, self.processes = config, experiment, interrupt, processes
        if config.train.threads:
            torch.set_num_threads(config.train.threads)
        self.device = processes.device(config.train.device)
        seed_everything(config.seed, processes.rank)
        with processes.first_goes_first():  # the others find what it has written
            if processes.first:
                experiment.write_environment(describe_device(self.device))
            self.task = experiment.task(config, kept=not processes.first)
        self.model = build_model(config, self.task).to(self.device)
        log.info("%s", coverage_table(self.model))
        self.autocast = autocast(config.train.precision, self.device, self.model.backbone.dim)

        self.train_feed, self.dev_feed = make_feeds(config, self.model)
        self.leave_out_bad()
        accumulate = config.train.accumulate
        self.planned_steps = config.train.epochs * -(-len(self.train_feed.sampler) // accumulate)
        groups = self.model.parameter_groups()
        self.parameters = {**groups["adapter"], **groups["head"]}
        self.optimizer = make_optimizer(self.model, config.train)
        self.schedule = make_schedule(self.optimizer, config.train, self.planned_steps)
        looks_every = CUDA_LOOKS_EVERY if self.device.type == "cuda" else 1
        self.watch = Watch(config.train.explode, looks_every, processes.gather)
        self.gradients_checked = False

        self.state = State()
        self.best_weights: dict[str, Tensor] = {}
        self.checkpoints = Checkpoints(experiment.checkpoints)
        for name, digest in self._inputs().items():
            processes.check_same(f"the {name}", digest)
        self._resume()
        processes.check_same_tensors(self.parameters)
        self.history = History(experiment.folder, self.state.history, self.task.score_name, processes.first)
        self.clock = self.saved = time.monotonic()

    def leave_out_bad(self) -> int:
        """With data.on_bad_utterance=skip, how many recordings for training have gone bad since the last look.

        What an earlier look has found stays out, also where the policy is another one by now.
        """
        if not isinstance(self.train_feed, Feed):
            return 0
        folder, found = self.experiment.folder, 0
        if self.config.data.on_bad_utterance == "skip":
            found = self.processes.of_first(lambda: leave_out_bad(self.train_feed, folder, self.config.data))
        self.train_feed.leave_out(read_left_out(folder / FILE))
        return found

    def run(self, command: str) -> None:
        """Train to the end, and write the summary."""
        self.train_feed.fill_cache("the training set", self._save_or_stop, self.processes)
        self.dev_feed.fill_cache("the dev set", self._save_or_stop, self.processes)
        self._tick()
        while self.state.epoch <= self.config.train.epochs and not self._out_of_patience():
            self.train_epoch()
            self.finish_epoch()
        if self.processes.first:
            self.history.draw()
            self.model.finish(self.best_weights, self.experiment.folder)
            summary = summarise(self.experiment, self.config, self.model, self.state, self.device, command)
            self.experiment.write_summary({**summary, "processes": self.processes.size})
        score = f"{self.task.score_name} {self.state.best_score:.2f}"
        log.info("finished: dev %s at epoch %d", score, self.state.best_epoch)

    def train_epoch(self) -> None:
        """Go through what is left of the epoch; every step is the mean over the utterances of its batches.

        With several processes each computes its share of them, and the gradients are summed.
        """
        state, train = self.state, self.config.train
        plan = self.train_feed.plan(state.epoch)
        groups = [plan[start : start + train.accumulate] for start in range(state.batches, len(plan), train.accumulate)]
        shares = [self.processes.share(group) for group in groups]
        batches = self.train_feed.batches([batch for share in shares for batch in share])
        progress = Progress(f"epoch {state.epoch}/{train.epochs}", len(plan), state.batches, self.processes.first)
        self.model.train()
        for group, share in zip(groups, shares, strict=True):
            utterances = sum(map(len, group))
            ids, losses = [], []
            for batch in islice(batches, len(share)):
                with self.autocast:
                    loss = self.model(batch.to(self.device, non_blocking=True))
                (loss.sum() / utterances).backward()
                ids += batch.ids
                losses.append(loss.detach())
            if share and not self.gradients_checked:
                check_gradients(self.model)
                self.gradients_checked = True
            self.processes.sum_gradients(self.parameters.values())
            norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), train.clip)
            self._note(self.watch.add(Step(f"epoch {state.epoch}, step {state.steps + 1}", ids, losses, norm)))
            self.optimizer.step()
            self.schedule.step()
            self.optimizer.zero_grad(set_to_none=True)
            state.batches += len(group)
            state.steps += 1
            seconds = sum(self.train_feed.seconds[index] for indices in group for index in indices)
            state.audio_seconds += seconds
            mean = state.loss_sum / max(state.utterances, 1)
            progress.step(len(group), seconds, mean, self.schedule.get_last_lr()[0])
            self._save_or_stop(training=True)
        self._note(self.watch.look())
        self._tick(training=True)
        progress.close()

    def finish_epoch(self) -> None:
        """Evaluate on dev, keep the weights if they are the best, write the epoch's line and a checkpoint."""
        state, task = self.state, self.task
        self.processes.check_same_tensors(self.parameters)
        dev = evaluate(self.model, self.dev_feed, self.device, self.autocast, self.processes, self._save_or_stop)
        score, loss = dev[f"dev_{task.score_name}"], dev["dev_loss"]
        check_dev_loss(state.epoch, loss)
        sign = 1 if task.higher_is_better else -1
        # equal scores are common with few utterances, and at the start of CTC: then the loss decides
        better = not state.best_epoch or (sign * score, -loss) > (sign * state.best_score, -state.best_loss)
        if better:
            state.best_epoch, state.best_score, state.best_loss = state.epoch, score, loss
            if self.processes.first:
                with torch.no_grad():
                    weights = self.model.state()
                self.best_weights = {name: tensor.cpu().clone() for name, tensor in weights.items()}
                self._write_best()
        rates = zip(self.optimizer.param_groups, self.schedule.get_last_lr(), strict=True)
        line = {
            "epoch": state.epoch,
            "step": state.steps,
            "train_loss": state.loss_sum / state.utterances,
            **dev,
            **{f"lr_{group['name']}": rate for group, rate in rates},
            "seconds": round(state.epoch_seconds, 3),
            "audio_seconds_per_second": round(state.audio_seconds / max(state.epoch_seconds, 1e-9), 1),
            "peak_memory_megabytes": round(max(self.processes.gather(peak_memory_megabytes(self.device))), 1),
        }
        log.info(
            "epoch %d: train loss %.4f, dev loss %.4f, dev %s %.2f%s, %.1f s, %.0f s of audio/s",
            state.epoch, line["train_loss"], loss, task.score_name, score, " (best)" if better else "",
            state.epoch_seconds, line["audio_seconds_per_second"],
        )  # fmt: skip
        self.history.add(line)
        if state.epoch_seconds > DRAW_EVERY_SECONDS:
            self.history.draw()
        state.epoch += 1
        state.batches = state.utterances = 0
        state.loss_sum = state.audio_seconds = state.epoch_seconds = 0.0
        self.save()
        self._tick()

    def _note(self, losses: list[float]) -> None:
        self.state.loss_sum += sum(losses)
        self.state.utterances += len(losses)

    def _tick(self, training: bool = False) -> None:
        """Add the time since the last call."""
        now = time.monotonic()
        self.state.training_seconds += now - self.clock
        self.state.epoch_seconds += now - self.clock if training else 0.0
        self.clock = now

    def _out_of_patience(self) -> bool:
        """Of no better dev score for `patience` epochs."""
        patience, since = self.config.train.patience, self.state.epoch - 1 - self.state.best_epoch
        if patience and since >= patience:
            log.info("no better dev %s for %d epochs: stopping early", self.task.score_name, since)
            return True
        return False

    def save(self, training: bool = False) -> None:
        """Write a checkpoint, in the first process; training: in the middle of an epoch's training."""
        self._note(self.watch.look())
        self._tick(training)
        random = self.processes.gather(random_state(self.device))
        if self.processes.first:
            self.checkpoints.save(
                {
                    "inputs": self._inputs(),
                    "state": dataclasses.asdict(self.state),
                    "weights": {name: parameter.detach() for name, parameter in self.parameters.items()},
                    "buffers": dict(self._buffers()),
                    "best_weights": self.best_weights,
                    "optimizer": self.optimizer.state_dict(),
                    "schedule": self.schedule.state_dict(),
                    "random": random,  # of each process
                }
            )
        self.saved = time.monotonic()

    @torch.no_grad()
    def _resume(self) -> None:
        """Go back to the newest checkpoint, if there is one."""
        saved = self.processes.of_first(self.checkpoints.load)
        if saved is None:
            return
        for name, digest in self._inputs().items():
            if saved["inputs"][name] != digest:
                raise SureError(
                    f"{self.experiment.folder}: the {name} is not what it was when training was interrupted; "
                    "bring it back, or use another --exp (run.sh: --tag NAME); or delete the folder, as --restart "
                    "does, to begin again"
                )
        self.state = State(**saved["state"])
        weights = self.model.attachment.current_names(saved["weights"])
        for name, parameter in self.parameters.items():
            parameter.copy_(weights[name])
        for name, buffer in self._buffers():
            buffer.copy_(saved["buffers"][name])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["schedule"])
        self.best_weights = self.model.attachment.current_names(saved["best_weights"])
        if self.best_weights and self.processes.first:
            self._write_best()
        if random := self.processes.own(saved["random"], "random numbers"):
            restore_random_state(random, self.device)
        log.info("going on at epoch %d, batch %d", self.state.epoch, self.state.batches)

    def _write_best(self) -> None:
        state = self.state
        weights = safetensors.torch.save(self.best_weights)
        replace_file(self.experiment.best_weights, weights)
        best = {"epoch": state.best_epoch, "score_name": self.task.score_name, "score": state.best_score}
        digest = {"loss": state.best_loss, "sha256": hashlib.sha256(weights).hexdigest()}
        replace_file(self.experiment.best, json.dumps({**best, **digest}) + "\n")

    def _buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Running statistics and the like, of methods and head."""
        for part in ("methods", "head"):
            for name, buffer in getattr(self.model, part).named_buffers():
                yield f"{part}.{name}", buffer

    def _inputs(self) -> dict[str, str]:
        """Digests of what a resumed run must find as it was."""
        return {
            "backbone": self.model.backbone.sha256,
            "training set": self.train_feed.digest(),
            "dev set": self.dev_feed.digest(),
        }

    def _save_or_stop(self, training: bool = False) -> None:
        """Save when it is time to, and stop when the system has asked one of the processes."""
        due = training and time.monotonic() - self.saved > self.config.train.save_minutes * 60
        asked, due = self.processes.most([self.interrupt.signal or 0, due])
        if asked or due:
            self.save(training)
        if asked:
            self.processes.wait()  # until the first has saved
            log.info("%s: saved; run the same command again to go on", signal.Signals(asked).name)
            raise SystemExit(EXIT_STATUS)
