"""Base of the feeds: the batches of one data set, in a planned order."""

import logging
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sure.config import Config
from sure.config_sections import DataConfig
from sure.data.batching import SecondsBatchSampler
from sure.data.earlier_batching import FirstBatchSampler, NarrowBatchSampler
from sure.data.limits import length_problem
from sure.errors import SureError, counted, some_of
from sure.train.distributed import ALONE, Processes

log = logging.getLogger(__name__)

SAMPLERS = {sampler.rule: sampler for sampler in (FirstBatchSampler, NarrowBatchSampler, SecondsBatchSampler)}


class Feed(ABC):
    """Batches of one data set. A plan is a list of batches, each a list of utterance indices.

    utterances: each has an `id`; seconds: their durations. training: shuffle, with batches of train.batch_seconds.
    difference: as of SecondsBatchSampler.
    """

    def __init__(
        self,
        utterances: Sequence[Any],
        seconds: Sequence[float],
        config: Config,
        training: bool,
        difference: float | None = None,
    ):
        self.utterances = list(utterances)
        self.seconds = list(seconds)
        batch_seconds = config.train.batch_seconds if training else config.decode.batch_seconds
        self.sampler = SecondsBatchSampler(self.seconds, batch_seconds, config.seed, training, difference)
        self.left_out: set[int] = set()  # indices
        self.epoch = 0  # of the last plan

    def state_dict(self) -> dict[str, int]:
        return {"rule": self.sampler.rule}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Keep the batches with which a training began. Checkpoints of earlier versions have no state.

        Raises SureError for a checkpoint of a later version.
        """
        rule = state.get("rule", FirstBatchSampler.rule)
        if rule not in SAMPLERS:
            raise SureError(
                f"the checkpoint has batches of rule {rule}, this version knows 1 to {max(SAMPLERS)}: continue with "
                "the version that wrote it, or train from the beginning with --restart"
            )
        if rule != self.sampler.rule:
            log.info("the training began with an earlier version; it keeps the batches of that version")
            old = self.sampler
            self.sampler = SAMPLERS[rule](old.seconds, old.batch_seconds, old.seed, old.shuffle)

    def plan(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch. They depend on the seed, the epoch and the utterances left out alone."""
        self.epoch = epoch
        self.sampler.set_epoch(epoch)
        without = ([index for index in batch if index not in self.left_out] for batch in self.sampler)
        return [batch for batch in without if batch]

    def leave_out(self, ids: Collection[str]) -> None:
        """Remove utterances from all later plans; the others stay in their batches."""
        self.left_out = {index for index, utterance in enumerate(self.utterances) if utterance.id in ids}

    def problem(self, utterance: Any) -> str | None:
        """Why the recording of an utterance has become unusable since stage 2, or None."""
        return None

    def fill_cache(self, what: str, pause: Callable[[], None] = lambda: None, processes: Processes = ALONE) -> None:
        """Compute, once, every value of an utterance that is the same in all epochs. what: name of the set, for logs.

        pause: called at times, at the same place in all processes; it may end the training.
        Each process computes its share, and receives all values.
        """
        return None

    @property
    def rule(self) -> str:
        """How values are cached, as far as that can change the numbers of a training; empty without a cache."""
        return ""

    def drop_cache(self) -> None:  # noqa: B027
        """Compute all values in each epoch, as a training did that began without a cache."""

    def code(self) -> dict[str, str]:
        """Digests of the code that computes cached values, by file, as of `sure.provenance.code_of`."""
        return {}

    @abstractmethod
    def batches(self, plan: Sequence[list[int]]) -> Iterator[Any]:
        """The batches of a plan, on the CPU, each with `ids` and `to(device, non_blocking)`."""

    @abstractmethod
    def digest(self) -> str:
        """Digest of the data set; a resumed training needs the same one."""


def wrong_length(seconds: float, data: DataConfig) -> str | None:
    """Why a training utterance of this duration is left out, or None."""
    return length_problem(seconds, data.min_seconds, data.max_seconds, "data.min_seconds=", "data.max_seconds=")


def partition(utterances: Iterable[Any], problem: Callable[[Any], str | None]) -> tuple[list[Any], dict[str, Any]]:
    """The utterances without a problem, and a list of the others' ids for each problem."""
    kept, others = [], defaultdict(list)
    for utterance in utterances:
        if reason := problem(utterance):
            others[reason].append(utterance.id)
        else:
            kept.append(utterance)
    return kept, others


def log_left_out(left_out: Mapping[str, Sequence[str]], what: str) -> None:
    """Log the number and the first ids of utterances by the reason for which they are left out."""
    for reason, ids in left_out.items():
        log.warning("left out of %s: %s %s: %s", what, counted(len(ids), "utterance"), reason, some_of(ids, 10))
