"""A data set of speech synthesis as batches in a planned order, with durations found once where they stay the same."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from sure.backbones.aligner import alignment_prior
from sure.config import Config
from sure.data.batching import SecondsBatchSampler
from sure.data.synthesis.dataset import (
    Script,
    SpokenBatch,
    SpokenDataset,
    collate_spoken,
    read_scripts,
    speaker_vectors,
)
from sure.errors import SureError
from sure.models.synthesis import SynthesisModel
from sure.train.distributed import ALONE, Processes
from sure.train.feed_recognition import IDS_SHOWN

log = logging.getLogger(__name__)


class SynthesisFeed:
    """As `Feed` is for recognition; see AnyFeed."""

    def __init__(self, folder: str, scripts: Sequence[Script], model: SynthesisModel, config: Config, training: bool):
        self.utterances = list(scripts)
        self.seconds = [script.frames / model.backbone.frame_rate for script in scripts]
        self.model = model
        self.epochs = config.train.epochs if training else 0
        self.epoch = 0
        self.dataset = SpokenDataset(
            folder,
            scripts,
            model.numbers,
            _speakers(folder, model),
            alignment_prior if model.finds_durations else None,
            config.data.cache_gigabytes,
        )
        batch_seconds = config.train.batch_seconds if training else config.decode.batch_seconds
        self.sampler = SecondsBatchSampler(self.seconds, batch_seconds, config.seed, shuffle=training)

    def plan(self, epoch: int) -> list[list[int]]:
        self.epoch = epoch
        self.sampler.set_epoch(epoch)
        return list(self.sampler)

    @torch.no_grad()
    def fill_cache(self, what: str, pause: Callable[[], None] = lambda: None, processes: Processes = ALONE) -> None:
        """Find the durations, where the aligner does not train: each utterance alone, so batch mates change nothing.

        pause: called now and then, and may end the training. Each of the processes finds its part, and gets all.
        """
        if not self.model.finds_durations or self.model.trains_aligner or self.dataset.durations[0] is not None:
            return
        begun = time.monotonic()
        device = next(self.model.parameters()).device
        bar = tqdm(total=len(self.utterances), desc="durations", disable=None if processes.first else True, leave=False)

        def durations(index: int) -> Tensor:
            bar.update(processes.size)
            return self.model.align(collate_spoken([self.dataset[index]]).to(device))[0][0]

        self.dataset.durations[:] = processes.spread(len(self.utterances), durations, pause)
        bar.close()
        log.info("durations of %s: %d utterances, %.1f s", what, len(self.utterances), time.monotonic() - begun)

    def batches(self, plan: Sequence[list[int]]) -> Iterator[SpokenBatch]:
        for indices in plan:
            batch = collate_spoken([self.dataset[index] for index in indices])
            batch.progress = (self.epoch - 1) / self.epochs if self.epochs else 0.0
            yield batch

    def digest(self) -> str:
        return self.dataset.digest()


def _speakers(folder: str, model: SynthesisModel):
    """What the model knows a speaker of a set by: a number of its table, or an external embedding."""
    if model.task.config.speaker != "vector":
        return model.task.speaker
    return speaker_vectors(folder, model.backbone.shape.speaker_vector)


def speakable(folder: str, model: SynthesisModel, config: Config, training: bool = True) -> list[Script]:
    """The utterances of a set that the model can learn from; what is left out is counted and named in the log.

    Raises SureError when nothing is left, and for a set that has no features.
    """
    left_out: dict[str, list[str]] = {}
    kept = []
    shortest, longest = config.data.min_seconds, config.data.max_seconds
    for script in read_scripts(folder, durations=not model.finds_durations):
        seconds = script.frames / model.backbone.frame_rate
        if not script.frames:
            raise SureError(f"{folder}: {script.id} has no frames in utt2frames; stage 2 ends with sure.bin.features")
        if script.frames < len(script.phones):
            left_out.setdefault("with more phones than frames", []).append(script.id)
        elif training and seconds < shortest:
            left_out.setdefault(f"shorter than data.min_seconds={shortest:g}", []).append(script.id)
        elif training and seconds > longest:
            left_out.setdefault(f"longer than data.max_seconds={longest:g}", []).append(script.id)
        else:
            kept.append(script)
    for reason, ids in left_out.items():
        more = ", ..." if len(ids) > IDS_SHOWN else ""
        log.warning(
            "left out of %s: %d utterances %s: %s%s", folder, len(ids), reason, ", ".join(ids[:IDS_SHOWN]), more
        )
    if not kept:
        raise SureError(f"{folder}: no utterance is left ({'; '.join(left_out)})")
    return kept
