"""Batches of utterances for speech synthesis; durations are computed once where the aligner does not train."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from sure.backbones.aligner import alignment_prior
from sure.config import Config
from sure.data.limits import length_problem
from sure.data.synthesis.dataset import (
    SynthesisBatch,
    SynthesisDataset,
    SynthesisUtterance,
    collate_synthesis,
    read_utterances,
    speaker_vectors,
)
from sure.errors import SureError
from sure.models.synthesis import SynthesisModel
from sure.train.distributed import ALONE, Processes
from sure.train.feed import Feed, log_left_out

log = logging.getLogger(__name__)


def synthesis_feeds(config: Config, model: SynthesisModel) -> tuple[Feed, Feed]:
    """The feeds of the training set and the dev set."""
    train, dev = config.data.train, config.data.valid
    return (
        SynthesisFeed(train, usable(train, model, config), model, config, training=True),
        SynthesisFeed(dev, usable(dev, model, config, training=False), model, config, training=False),
    )


class SynthesisFeed(Feed):
    """Batches of phones with acoustic features, read from a data folder."""

    def __init__(
        self,
        folder: str,
        utterances: Sequence[SynthesisUtterance],
        model: SynthesisModel,
        config: Config,
        training: bool,
    ):
        super().__init__(utterances, [one.frames / model.backbone.frame_rate for one in utterances], config, training)
        self.model = model
        self.epochs = config.train.epochs if training else 0
        self.epoch = 0
        self.dataset = SynthesisDataset(
            folder,
            utterances,
            model.numbers,
            speaker_inputs(folder, model),
            alignment_prior if model.finds_durations else None,
            config.data.cache_gigabytes,
        )

    def plan(self, epoch: int) -> list[list[int]]:
        self.epoch = epoch
        return super().plan(epoch)

    @torch.no_grad()
    def fill_cache(self, what: str, pause: Callable[[], None] = lambda: None, processes: Processes = ALONE) -> None:
        """Compute the durations of each utterance alone, where the aligner does not train."""
        if not self.model.finds_durations or self.model.trains_aligner or self.dataset.durations[0] is not None:
            return
        begun = time.monotonic()
        device = next(self.model.parameters()).device
        bar = tqdm(total=len(self.utterances), desc="durations", disable=None if processes.first else True, leave=False)

        def durations(index: int) -> Tensor:
            bar.update(processes.size)
            return self.model.align(collate_synthesis([self.dataset[index]]).to(device))[0][0]

        self.dataset.durations[:] = processes.spread(len(self.utterances), durations, pause)
        bar.close()
        log.info("durations of %s: %d utterances, %.1f s", what, len(self.utterances), time.monotonic() - begun)

    def batches(self, plan: Sequence[list[int]]) -> Iterator[SynthesisBatch]:
        for indices in plan:
            batch = collate_synthesis([self.dataset[index] for index in indices])
            batch.progress = (self.epoch - 1) / self.epochs if self.epochs else 0.0
            yield batch

    def digest(self) -> str:
        return self.dataset.digest()


def speaker_inputs(folder: str, model: SynthesisModel) -> Callable[[str], Tensor]:
    """A function from a speaker's name to the model's input: an index in its table, or an external embedding."""
    if model.task.config.speaker != "vector":
        return model.task.speaker
    return speaker_vectors(folder, model.backbone.shape.speaker_vector)


def usable(folder: str, model: SynthesisModel, config: Config, training: bool = True) -> list[SynthesisUtterance]:
    """The utterances of a set that the model can be trained on; the others are counted and named in the log.

    Raises SureError when none is left, and for a set without features.
    """
    data, left_out, kept = config.data, defaultdict(list), []
    for one in read_utterances(folder, durations=not model.finds_durations):
        if not one.frames:
            raise SureError(
                f"{folder}: {one.id} has no frames in utt2frames; run sure.bin.features, the end of stage 2"
            )
        problem = "with more phones than frames" if one.frames < len(one.phones) else None
        if training and not problem:
            limits = data.min_seconds, data.max_seconds, "data.min_seconds=", "data.max_seconds="
            problem = length_problem(one.frames / model.backbone.frame_rate, *limits)
        if problem:
            left_out[problem].append(one.id)
        else:
            kept.append(one)
    log_left_out(left_out, folder)
    if not kept:
        raise SureError(f"{folder}: no utterance is left ({'; '.join(left_out)})")
    return kept
