"""Batches of recorded utterances: from the prefix cache where possible, otherwise from audio."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from torch.utils.data import DataLoader

from sure.config import Config
from sure.config_sections import DataConfig
from sure.data.augment import Augment, draw_speed
from sure.data.collate import Batch, Features
from sure.data.data_dir import Utterance
from sure.data.dataset import SpeechDataset, UtteranceError, generator_for, load_wave
from sure.errors import SureError, counted
from sure.models.loading import ahead, check_lengths, encoder_problem, loaded, make_loader, samples_of, worker_processes
from sure.models.recognition import RecognitionModel
from sure.provenance import code_of
from sure.train import prefix_cache
from sure.train.distributed import ALONE, Processes
from sure.train.feed import Feed, log_left_out, partition, wrong_length
from sure.train.prefix_cache import NoSpace, Space, plan_cache

log = logging.getLogger(__name__)


class RecognitionFeed(Feed):
    """Batches of recorded utterances. Its prefix cache takes a part of `space`."""

    def __init__(
        self, utterances: Sequence[Utterance], model: RecognitionModel, config: Config, space: Space, training: bool
    ):
        seconds, difference = [utterance.seconds for utterance in utterances], model.decode_difference
        super().__init__(utterances, seconds, config, training, None if training else difference)
        check_lengths(self.utterances, model.encoder)
        self.config = config
        self.cache = plan_cache(model, config, self.utterances, space, training)
        self.folder = Path(config.data.train if training else config.data.valid)
        augment = Augment(config.augment) if training and config.augment.changes_waveform else None
        cache_gigabytes = 0.0 if self.cache else config.data.cache_gigabytes
        target = model.task.target if training else model.task.dev_target
        self.dataset = SpeechDataset(self.utterances, target, augment, config.seed, cache_gigabytes)
        self.device = next(model.parameters()).device
        self.workers = worker_processes(config.train.workers, self.device)
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
        if self.cache is None or self.cache.places:
            return
        utterances = {index: one for index, one in enumerate(self.utterances) if index not in self.left_out}
        try:
            log.info("prefix cache of %s: %s", what, self.cache.fill(utterances, self.folder, pause, processes))
        except NoSpace as reason:
            log.warning(
                "no prefix cache of %s, as was planned: %s; all layers are computed in each epoch, which takes longer "
                "and gives values that differ in the last digits",
                *(what, reason),
            )
            self.cache = None
        self._loader = None

    def drop_cache(self) -> None:
        self.cache = None

    def code(self) -> dict[str, str]:
        return code_of([prefix_cache.__name__], (prefix_cache.__name__,)) if self.cache else {}

    def batches(self, plan: Sequence[list[int]]) -> Iterator[Batch | Features]:
        if self.cache is None:
            yield from self._load(plan)
            return
        yield from ahead(map(self._features, plan))

    def _features(self, indices: Sequence[int]) -> Features:
        taps, lengths = self.cache.get([self._item(index) for index in indices])
        ids = [self.utterances[index].id for index in indices]
        features = Features(ids, taps, lengths, [self.dataset.targets[index] for index in indices])
        return features.pin_memory() if self.device.type == "cuda" else features

    @property
    def rule(self) -> str:
        return self.cache.rule if self.cache else ""

    def _item(self, index: int) -> int:
        """The number in the cache of an utterance at the speed that is drawn for it in this epoch."""
        if len(self.cache.speeds) == 1:
            return self.cache.item(index)
        generator = generator_for(self.config.seed, self.epoch, self.utterances[index].id)
        return self.cache.item(index, draw_speed(self.config.augment, generator))

    def digest(self) -> str:
        """Digest of the utterances' ids, durations, targets and trials."""
        rows = zip(self.utterances, self.dataset.targets, strict=True)
        content = [[one.id, one.seconds, target.tolist(), *one.trials] for one, target in rows]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _load(self, plan: Sequence[list[int]]) -> Iterator[Batch]:
        self.order[:] = plan
        if self._loader is None:
            self._loader = make_loader(self.dataset, self.order, self.workers, self.device)
        yield from loaded(self._loader)


def usable(utterances: Sequence[Utterance], model: RecognitionModel, config: Config) -> list[Utterance]:
    """The training utterances that the model can be trained on; the others are counted and named in the log.

    Raises SureError when none is left, and for transcripts that cannot be targets: with data.on_bad_utterance=stop for
    the first one, with skip for more than data.max_bad_percent of the set.
    """
    data, encoder = config.data, model.encoder
    fitting, left_out = partition(
        utterances, lambda one: wrong_length(one.seconds, data) or encoder_problem(one.seconds, encoder)
    )
    log_left_out(left_out, "training")
    kept, bad = partition(fitting, lambda one: _target_problem(model, one, data))
    if bad:
        _check_bad(bad, len(utterances), data)
    if not kept:
        raise SureError(f"{data.train}: no utterance is left to train on ({'; '.join([*left_out, *bad])})")
    return kept


def _target_problem(model: RecognitionModel, utterance: Utterance, data: DataConfig) -> str | None:
    """Why the transcript cannot be a target, or None. With data.on_bad_utterance=stop it may raise SureError."""
    try:
        target = model.task.target(utterance)
    except SureError:
        if data.on_bad_utterance == "stop":
            raise
        return "without any symbol of the vocabulary"
    fits = model.task.fits(model.frame_count(samples_of([utterance.seconds])), [target])[0]
    return None if fits else model.task.misfit


def _check_bad(bad: Mapping[str, Sequence[str]], count: int, data: DataConfig) -> None:
    """Name the utterances whose transcripts cannot be targets, in the log or in a SureError. count: of the set."""
    named = "; ".join(f"{counted(len(ids), 'utterance')} {reason}: {', '.join(ids)}" for reason, ids in bad.items())
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
