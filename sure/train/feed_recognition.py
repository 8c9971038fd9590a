"""Batches of recorded utterances: from the prefix cache where possible, otherwise from audio."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor
from torch.utils.data import DataLoader

from sure.config import Config
from sure.config_sections import DataConfig
from sure.data.augment import Augment
from sure.data.collate import Batch, Features
from sure.data.data_dir import Utterance, read_data_dir
from sure.data.dataset import SpeechDataset, UtteranceError, load_wave
from sure.data.limits import length_problem
from sure.errors import SureError
from sure.models.loading import check_lengths, encoder_problem, frame_counts, make_loader, plain_errors
from sure.models.recognition import RecognitionModel
from sure.train.distributed import ALONE, Processes
from sure.train.feed import Feed, log_left_out
from sure.train.prefix_cache import plan_cache

log = logging.getLogger(__name__)


def recognition_feeds(config: Config, model: RecognitionModel) -> tuple[Feed, Feed]:
    """The feeds of the training set and the dev set, which share the memory for prefix caches."""
    budget = config.train.prefix_cache_gigabytes * 1e9
    utterances = usable(read_data_dir(config.data.train), model, config)
    train = RecognitionFeed(utterances, model, config, budget, training=True)
    utterances = read_data_dir(config.data.valid)
    model.task.check_set(utterances, config.data.valid)
    return train, RecognitionFeed(utterances, model, config, budget - train.cache_bytes, training=False)


class RecognitionFeed(Feed):
    """Batches of recorded utterances.

    budget: bytes that its prefix cache may take; `cache_bytes` are those that it takes.
    """

    def __init__(
        self, utterances: Sequence[Utterance], model: RecognitionModel, config: Config, budget: float, training: bool
    ):
        super().__init__(utterances, [utterance.seconds for utterance in utterances], config, training)
        check_lengths(self.utterances, model.backbone)
        self.cache, self.cache_bytes = plan_cache(model, config, self.seconds, budget, training)
        augment = Augment(config.augment) if training and config.augment.changes_waveform else None
        self.dataset = SpeechDataset(
            self.utterances,
            model.task.target,
            augment,
            config.seed,
            cache_gigabytes=0.0 if self.cache else config.data.cache_gigabytes,
        )
        self.workers = config.train.workers
        self.order: list[list[int]] = []  # the loader's batches: one list, whose content is replaced
        self._loader: DataLoader | None = None

    def plan(self, epoch: int) -> list[list[int]]:
        self.dataset.set_epoch(epoch)
        return super().plan(epoch)

    def problem(self, utterance: Utterance) -> str | None:
        try:
            load_wave(utterance)
        except UtteranceError as error:
            return error.reason
        return None

    def fill_cache(self, what: str, pause: Callable[[], None] = lambda: None, processes: Processes = ALONE) -> None:
        """Compute the prefix cache, if one was planned; batches then come from it instead of from audio."""
        if self.cache and not self.cache.entries:
            everyone = range(len(self.utterances))
            there = [index for index in everyone if index not in self.left_out]
            one_by_one = [[index] for index in there[processes.rank :: processes.size]]
            self.cache.fill(self._load(one_by_one), what, len(there), pause, processes)
            entries = iter(self.cache.entries)
            self.cache.entries = [[] if index in self.left_out else next(entries) for index in everyone]
            self._loader = None

    def batches(self, plan: Sequence[list[int]]) -> Iterator[Batch | Features]:
        if self.cache is None:
            yield from self._load(plan)
            return
        for indices in plan:
            taps, lengths = self.cache.get(indices)
            ids = [self.utterances[index].id for index in indices]
            yield Features(ids, taps, lengths, [self.dataset.targets[index] for index in indices])

    def digest(self) -> str:
        """Digest of the utterances' ids, durations, targets and trials."""
        rows = zip(self.utterances, self.dataset.targets, strict=True)
        content = [[one.id, one.seconds, target.tolist(), *one.trials] for one, target in rows]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _load(self, plan: Sequence[list[int]]) -> Iterator[Batch]:
        self.order[:] = plan
        if self._loader is None:
            self._loader = make_loader(self.dataset, self.order, self.workers)
        yield from plain_errors(self._loader)


def usable(utterances: Sequence[Utterance], model: RecognitionModel, config: Config) -> list[Utterance]:
    """The training utterances that the model can be trained on; the others are counted and named in the log.

    Raises SureError when none is left, and for transcripts that cannot be targets: with data.on_bad_utterance=stop for
    the first one, with skip for more than data.max_bad_percent of the set.
    """
    data, backbone = config.data, model.backbone
    limits = data.min_seconds, data.max_seconds, "data.min_seconds=", "data.max_seconds="
    left_out: dict[str, list[str]] = defaultdict(list)  # ids by reason: outside the limits of duration
    bad: dict[str, list[str]] = defaultdict(list)  # ids by reason: transcripts that cannot be targets
    kept = []
    frames = frame_counts(backbone, [utterance.seconds for utterance in utterances])
    for utterance, count in zip(utterances, frames, strict=True):
        problem = length_problem(utterance.seconds, *limits) or encoder_problem(utterance.seconds, backbone)
        if problem:
            left_out[problem].append(utterance.id)
        elif problem := _target_problem(model, count, utterance, data):
            bad[problem].append(utterance.id)
        else:
            kept.append(utterance)
    log_left_out(left_out, "training")
    _check_bad(bad, len(utterances), data)
    if not kept:
        raise SureError(f"{data.train}: no utterance is left to train on ({'; '.join([*left_out, *bad])})")
    return kept


def _target_problem(model: RecognitionModel, frames: Tensor, utterance: Utterance, data: DataConfig) -> str | None:
    """Why the transcript cannot be a target, or None. With data.on_bad_utterance=stop it may raise SureError."""
    try:
        target = model.task.target(utterance)
    except SureError:
        if data.on_bad_utterance == "stop":
            raise
        return "without any symbol of the vocabulary"
    return None if model.task.fits(frames[None], [target])[0] else "with more tokens than frames"


def _check_bad(bad: Mapping[str, Sequence[str]], count: int, data: DataConfig) -> None:
    """Name the utterances whose transcripts cannot be targets, in the log or in a SureError. count: of the set."""
    if not bad:
        return
    named = "; ".join(f"{len(ids)} utterances {reason}: {', '.join(ids)}" for reason, ids in bad.items())
    percent = 100 * sum(map(len, bad.values())) / count
    if data.on_bad_utterance == "stop":
        raise SureError(
            f"{data.train}: {named}. Correct or cut them; or leave them out with data.on_bad_utterance=skip "
            "(run.sh: --on_bad_utterance skip)"
        )
    if percent > data.max_bad_percent:
        raise SureError(
            f"{data.train}: the transcripts of {percent:.1f} % of the utterances cannot be targets, more than "
            f"data.max_bad_percent={data.max_bad_percent:g}: {named}. Correct or cut them, or raise that limit"
        )
    log.warning("left out of training: %s", named)
