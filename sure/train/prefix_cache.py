"""Frozen-prefix cache: layers below the first trained site are computed once for each utterance."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sure.backbones.base import SpeechEncoder
from sure.config import Config
from sure.models.loading import frame_counts
from sure.models.recognition import RecognitionModel

log = logging.getLogger(__name__)

FLOAT_BYTES = 4


class PrefixCache:
    """Taps 0 to `depth` of every utterance of a data set, or tap `depth` alone, in memory.

    Each utterance is computed alone, in float32. So entries depend on the backbone and the waveform alone, and
    training does not depend on batch mates, their order, or the step at which it was resumed.
    """

    def __init__(self, backbone: SpeechEncoder, depth: int, keep_all: bool, size: int):
        self.backbone = backbone
        self.depth = depth
        self.first = 0 if keep_all else depth  # number of the first tap that is kept
        self.size = size  # when filled, in bytes
        self.entries: dict[int, list[Tensor]] = {}  # by index in the data set

    @torch.no_grad()
    def compute(self, wave: Tensor) -> list[Tensor]:
        """Taps (time, dim) of an utterance; wave (samples,)."""
        device = next(self.backbone.parameters()).device
        lengths = torch.tensor([len(wave)])
        taps = self.backbone.begin(wave[None].to(device), lengths)
        taps = self.backbone.resume(taps, self.backbone.frame_count(lengths), stop=self.depth).taps
        return [tap[0].float().cpu() for tap in taps[self.first :]]

    def get(self, indices: Sequence[int]) -> tuple[list[Tensor | None], Tensor]:
        """Taps (batch, time, dim) of a batch, padded with zeros, and lengths (batch,) in frames."""
        found = [self.entries[index] for index in indices]
        lengths = torch.tensor([len(taps[0]) for taps in found])
        padded = [pad_sequence(list(tap), batch_first=True) for tap in zip(*found, strict=True)]
        return [None] * self.first + padded, lengths


def plan_cache(
    model: RecognitionModel, config: Config, seconds: Sequence[float], budget: float, training: bool
) -> PrefixCache | None:
    """An empty cache for utterances of these durations, or None, with the reason in the log.

    budget: bytes that the cache may take. If the method reads all taps and they exceed the budget, the cache ends at a
    lower layer.
    """
    what = "the training set" if training else "the dev set"
    depth = model.attachment.cacheable_taps - 1
    if training and config.augment.changes_features:
        depth = min(depth, 0)  # SpecAugment draws new masks on the first tap in every epoch
    if config.train.prefix_cache == "off":
        why_not = "train.prefix_cache=off"
    elif training and config.augment.changes_waveform:
        why_not = "the waveform is augmented"
    elif config.backbone.padding == "as_trained":
        why_not = "with backbone.padding=as_trained features depend on padding"
    elif depth < 0:
        why_not = "the waveform front end trains"
    else:
        keep_all = model.attachment.reads_all_taps()
        tap_bytes = int(frame_counts(model.backbone, seconds).sum()) * model.backbone.dim * FLOAT_BYTES
        while keep_all and depth > 0 and (depth + 1) * tap_bytes > budget:
            depth -= 1
        size = tap_bytes * (depth + 1 if keep_all else 1)
        if size <= budget:
            return PrefixCache(model.backbone, depth, keep_all, size)
        why_not = f"{size / 1e6:.0f} MB exceed the {budget / 1e6:.0f} MB that train.prefix_cache_gigabytes leaves"
    log.info("no prefix cache of %s: %s", what, why_not)
    return None
