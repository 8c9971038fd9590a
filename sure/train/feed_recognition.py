"""A data set as batches in a planned order: from the prefix cache where there is one, else from audio."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Collection, Iterator, Sequence

from torch import Tensor
from torch.utils.data import DataLoader

from sure.config import Config
from sure.config_sections import DataConfig
from sure.data.augment import Augment
from sure.data.batching import SecondsBatchSampler
from sure.data.collate import Batch, Features
from sure.data.data_dir import Utterance
from sure.data.dataset import SpeechDataset
from sure.errors import SureError
from sure.models.loading import check_lengths, frame_counts, make_loader, plain_errors
from sure.models.recognition import SureModel
from sure.train.distributed import ALONE, Processes
from sure.train.prefix_cache import plan_cache

log = logging.getLogger(__name__)

IDS_SHOWN = 10


class Feed:
    """Batches of one data set. A plan is a list of lists of indices; `batches` gives them in that order.

    budget: bytes left for a prefix cache; what this one takes is `cache_bytes`.
    """

    def __init__(
        self, utterances: Sequence[Utterance], model: SureModel, config: Config, budget: float, training: bool
    ):
        self.utterances = list(utterances)
        self.seconds = [utterance.seconds for utterance in self.utterances]
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
        batch_seconds = config.train.batch_seconds if training else config.decode.batch_seconds
        self.sampler = SecondsBatchSampler(self.seconds, batch_seconds, config.seed, shuffle=training)
        self.workers = config.train.workers
        self.left_out: set[int] = set()  # indices
        self.order: list[list[int]] = []  # what the loader goes through next; the same list, with other content
        self._loader: DataLoader | None = None

    def plan(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch: a pure function of the seed and its number."""
        self.dataset.set_epoch(epoch)
        self.sampler.set_epoch(epoch)
        without = ([index for index in batch if index not in self.left_out] for batch in self.sampler)
        return [batch for batch in without if batch]

    def leave_out(self, ids: Collection[str]) -> None:
        """Utterances that no plan has from now on; the others stay in their batches."""
        self.left_out = {index for index, utterance in enumerate(self.utterances) if utterance.id in ids}

    def fill_cache(self, what: str, pause: Callable[[], None] = lambda: None, processes: Processes = ALONE) -> None:
        """Compute the prefix cache, if there is to be one; it takes the place of the audio.

        pause: called now and then, and may end the training. Each of the processes computes its part, and gets all.
        """
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
        """Of the utterances' ids, durations, targets and trials."""
        rows = zip(self.utterances, self.dataset.targets, strict=True)
        content = [[one.id, one.seconds, target.tolist(), *one.trials] for one, target in rows]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _load(self, plan: Sequence[list[int]]) -> Iterator[Batch]:
        self.order[:] = plan
        if self._loader is None:
            self._loader = make_loader(self.dataset, self.order, self.workers)
        yield from plain_errors(self._loader)


def usable(utterances: Sequence[Utterance], model: SureModel, config: Config) -> list[Utterance]:
    """The training utterances that can be learned from; what is left out is counted and named in the log.

    Raises SureError when nothing is left, and for texts that cannot be targets: with data.on_bad_utterance=stop for
    one, with skip for more than data.max_bad_percent of the set.
    """
    shortest, longest = config.data.min_seconds, config.data.max_seconds
    frames = frame_counts(model.backbone, [utterance.seconds for utterance in utterances])
    left_out: dict[str, list[str]] = {}  # for the settings' sake
    bad: dict[str, list[str]] = {}
    kept = []
    skip = config.data.on_bad_utterance == "skip"
    for utterance, count in zip(utterances, frames, strict=True):
        if utterance.seconds < shortest or count < 1:
            left_out.setdefault(f"shorter than data.min_seconds={shortest:g}", []).append(utterance.id)
        elif utterance.seconds > longest:
            left_out.setdefault(f"longer than data.max_seconds={longest:g}", []).append(utterance.id)
        elif utterance.seconds > model.backbone.max_seconds:
            heard = f"longer than the {model.backbone.max_seconds:g} s that the backbone can hear"
            left_out.setdefault(heard, []).append(utterance.id)
        elif skip and not _has_target(model, utterance):
            bad.setdefault("with no symbol of the vocabulary", []).append(utterance.id)
        elif not _fits(model, count, utterance):
            bad.setdefault("with more to say than they have frames", []).append(utterance.id)
        else:
            kept.append(utterance)
    for reason, ids in left_out.items():
        more = ", ..." if len(ids) > IDS_SHOWN else ""
        log.warning("left out of training: %d utterances %s: %s%s", len(ids), reason, ", ".join(ids[:IDS_SHOWN]), more)
    _check_bad(bad, len(utterances), config.data)
    if not kept:
        raise SureError(f"{config.data.train}: no utterance is left to train on ({'; '.join([*left_out, *bad])})")
    return kept


def _check_bad(bad: dict[str, list[str]], of: int, settings: DataConfig) -> None:
    """Name all of them, in the log or in a SureError."""
    if not bad:
        return
    named = "; ".join(f"{len(ids)} utterances {reason}: {', '.join(ids)}" for reason, ids in bad.items())
    percent = 100 * sum(map(len, bad.values())) / of
    if settings.on_bad_utterance == "stop":
        raise SureError(
            f"{settings.train}: {named}. Correct or cut them; or leave them out by data.on_bad_utterance=skip "
            "(run.sh: --on_bad_utterance skip)"
        )
    if percent > settings.max_bad_percent:
        raise SureError(
            f"{settings.train}: {percent:.1f} % cannot be targets, more than data.max_bad_percent="
            f"{settings.max_bad_percent:g}: {named}. Correct or cut them, or raise that limit"
        )
    log.warning("left out of training: %s", named)


def _has_target(model: SureModel, utterance: Utterance) -> bool:
    try:
        model.task.target(utterance)
    except SureError:
        return False
    return True


def _fits(model: SureModel, frames: Tensor, utterance: Utterance) -> bool:
    fits = getattr(model.task, "fits", None)
    return fits is None or bool(fits(frames[None], [model.task.target(utterance)])[0])
