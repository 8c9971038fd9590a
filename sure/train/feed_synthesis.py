"""Batches of utterances for speech synthesis; durations are computed once where the aligner does not train."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from sure.backbones.aligner import alignment_prior
from sure.config import Config
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
from sure.train.feed import Feed, log_left_out, partition, wrong_length

log = logging.getLogger(__name__)


class SynthesisFeed(Feed):
    """Batches of phones with acoustic features: the usable utterances of a data folder. Raises as `usable`."""

    def __init__(self, folder: str, model: SynthesisModel, config: Config, training: bool):
        utterances = usable(folder, model, config, training)
        super().__init__(utterances, [one.frames / model.backbone.frame_rate for one in utterances], config, training)
        self.model = model
        self.epochs = config.train.epochs if training else 0
        speaker = model.task.speaker  # from a speaker's name to an index in the model's table, or to an embedding
        if model.task.config.speaker == "vector":
            speaker = speaker_vectors(folder, model.backbone.shape.speaker_vector)
        prior = alignment_prior if model.finds_durations else None
        self.dataset = SynthesisDataset(folder, utterances, model.numbers, speaker, prior, config.data.cache_gigabytes)

    @torch.no_grad()
    def fill_cache(self, what: str, pause: Callable[[], None] = lambda: None, processes: Processes = ALONE) -> None:
        """Compute the durations of each utterance alone, where the aligner does not train."""
        if not self.model.finds_durations or self.model.trains_aligner or self.dataset.durations[0] is not None:
            return
        begun = time.monotonic()
        device = next(self.model.parameters()).device

        def durations(index: int) -> Tensor:
            return self.model.align(collate_synthesis([self.dataset[index]]).to(device))[0][0]

        self.dataset.durations[:] = processes.spread(len(self.utterances), durations, pause, "durations")
        log.info("durations of %s: %d utterances, %.1f s", what, len(self.utterances), time.monotonic() - begun)

    def batches(self, plan: Sequence[list[int]]) -> Iterator[SynthesisBatch]:
        for indices in plan:
            batch = collate_synthesis([self.dataset[index] for index in indices])
            batch.progress = (self.epoch - 1) / self.epochs if self.epochs else 0.0
            yield batch

    def digest(self) -> str:
        return self.dataset.digest()


def usable(folder: str, model: SynthesisModel, config: Config, training: bool) -> list[SynthesisUtterance]:
    """The utterances of a set that the model can be trained on; the others are counted and named in the log.

    Raises SureError when none is left, and for a set without features.
    """

    def problem(one: SynthesisUtterance) -> str | None:
        if not one.frames:
            raise SureError(
                f"{folder}: {one.id} has no frames in utt2frames; run sure.bin.features, the end of stage 2"
            )
        if one.frames < len(one.phones):
            return "with more phones than frames"
        return wrong_length(one.frames / model.backbone.frame_rate, config.data) if training else None

    kept, left_out = partition(read_utterances(folder, durations=not model.finds_durations), problem)
    log_left_out(left_out, folder)
    if not kept:
        raise SureError(f"{folder}: no utterance is left ({'; '.join(left_out)})")
    return kept
