"""The feeds of a training: where batches of the training set and of dev come from, by the kind of model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from sure.config import Config
from sure.data.batching import SecondsBatchSampler
from sure.data.data_dir import read_data_dir
from sure.models.base import AdaptedModel
from sure.models.recognition import SureModel
from sure.models.synthesis import SynthesisModel
from sure.train.distributed import Processes
from sure.train.feed_recognition import Feed, usable
from sure.train.feed_synthesis import SynthesisFeed, speakable


class AnyFeed(Protocol):
    """What training asks of a data set. A plan is a list of lists of indices; `batches` gives them in that order."""

    utterances: Sequence[Any]
    seconds: Sequence[float]
    sampler: SecondsBatchSampler  # its length is the number of batches in every epoch

    def plan(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch: a pure function of the seed and its number."""

    def fill_cache(self, what: str, pause: Callable[[], None], processes: Processes) -> None:
        """Compute what stays the same for each utterance, once, each process its part, to be had by all.

        pause: called now and then, in all processes at the same place; it may end the training.
        """

    def batches(self, plan: Sequence[list[int]]) -> Iterator[Any]: ...

    def digest(self) -> str:
        """Of what a resumed training must find as it was."""


def make_feeds(config: Config, model: AdaptedModel) -> tuple[AnyFeed, AnyFeed]:
    """Of the training set, and of dev."""
    return FEEDS[type(model)](config, model)


def _recognition(config: Config, model: SureModel) -> tuple[Feed, Feed]:
    budget = config.train.prefix_cache_gigabytes * 1e9
    utterances = usable(read_data_dir(config.data.train), model, config)
    train = Feed(utterances, model, config, budget, training=True)
    utterances = read_data_dir(config.data.valid)
    model.task.check_set(utterances, config.data.valid)
    return train, Feed(utterances, model, config, budget - train.cache_bytes, training=False)


def _synthesis(config: Config, model: SynthesisModel) -> tuple[SynthesisFeed, SynthesisFeed]:
    train, dev = config.data.train, config.data.valid
    return (
        SynthesisFeed(train, speakable(train, model, config), model, config, training=True),
        SynthesisFeed(dev, speakable(dev, model, config, training=False), model, config, training=False),
    )


FEEDS = {SureModel: _recognition, SynthesisModel: _synthesis}
