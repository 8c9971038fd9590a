"""Batches of utterances of similar length, limited by seconds of audio, in a seeded order."""

import math
from collections.abc import Iterator, Sequence
from itertools import chain

import torch
from torch.utils.data import Sampler

from sure.data.dataset import generator_for
from sure.errors import SureError

SHORT_SECONDS = 10.0  # utterances up to this duration cost their seconds
# Attention costs as much as the linear maps of a layer at 6 * dim frames: 92 s at wav2vec 2.0 base's 768 and 50 Hz. One
# constant for all backbones, so that all take the same number of steps.
ATTENTION_SECONDS = 90.0
JITTER = 0.02  # random change of each duration before sorting, as a fraction


def cost(seconds: float) -> float:
    """Cost of computing an utterance, in seconds of short utterances: 1.2 times its seconds at 30 s."""
    return seconds * max(1.0, (ATTENTION_SECONDS + seconds) / (ATTENTION_SECONDS + SHORT_SECONDS))


class SecondsBatchSampler(Sampler[list[int]]):
    """Yields lists of indices with count * cost(longest) <= batch_seconds; a longer utterance is a batch of its own.

    The durations of a batch differ by at most 6 % of the mean duration, and with `shuffle` by 2 % of their own on
    both sides, so that less than 3 % of all frames are padding. In a set of fewer than 100 utterances, few are of
    similar length: there the durations may differ more, so that most batches have several utterances.

    The number and sizes of batches depend only on the durations, so schedules can rely on `len()`. The utterances of
    each batch and the order of batches are a pure function of (seed, epoch). The batch with the longest utterance comes
    first, so that a lack of memory shows at once. Without `shuffle`, every epoch goes from long to short.

    difference: largest one in a batch, as a fraction of the mean duration; None: 6 %.
    Raises SureError for a batch_seconds or duration that is not a positive number.
    """

    rule = 3  # stored in checkpoints; batches of other utterances need another number
    difference = 0.06  # largest difference of the durations of a batch, as a fraction of the mean duration
    few = 100  # utterances of a set, below which `difference` grows in inverse proportion to their number

    def __init__(
        self,
        seconds: Sequence[float],
        batch_seconds: float,
        seed: int = 0,
        shuffle: bool = True,
        difference: float | None = None,
    ):
        if not (batch_seconds > 0 and math.isfinite(batch_seconds)):
            raise SureError(f"batch_seconds: expected a positive number, got {batch_seconds}")
        for index, duration in enumerate(seconds):
            if not (duration > 0 and math.isfinite(duration)):
                raise SureError(f"utterance number {index}: expected a positive duration, got {duration} s")
        self.seconds = list(seconds)
        self.batch_seconds = batch_seconds
        self.seed = seed
        self.shuffle = shuffle
        self.difference = self.difference if difference is None else difference
        self.epoch = 0
        self._in_order = self._cut_in_order()

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._in_order)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._shuffled() if self.shuffle and self._in_order else self._in_order)

    def _fits(self, count: int, index: int) -> bool:
        return count == 1 or count * cost(self.seconds[index]) <= self.batch_seconds

    def _cut_in_order(self) -> list[list[int]]:
        """Batches from long to short, each as large as its first, longest utterance allows."""
        longest_first = sorted(range(len(self.seconds)), key=lambda index: (self.seconds[index], index), reverse=True)
        count = max(len(self.seconds), 1)
        difference = self.difference * max(1, self.few / count) * sum(self.seconds) / count
        batches: list[list[int]] = []
        for index in longest_first:
            batch = batches[-1] if batches else []
            if (
                batch
                and self.seconds[batch[0]] - self.seconds[index] <= difference
                and self._fits(len(batch) + 1, batch[0])
            ):
                batch.append(index)
            else:
                batches.append([index])
        return batches

    def _shuffled(self) -> list[list[int]]:
        """The batches of an epoch, the one with the longest utterance first, the others in random order."""
        generator = generator_for(self.seed, self.epoch)
        batches = self._random_batches(generator)
        order = torch.randperm(len(batches), generator=generator).tolist()
        longest = max(order, key=lambda number: max(self.seconds[index] for index in batches[number]))
        order.remove(longest)
        return [batches[number] for number in [longest, *order]]

    def _random_batches(self, generator: torch.Generator) -> list[list[int]]:
        """Sort by disturbed durations, and fill batches of the same sizes, from short to long.

        An utterance that is too long for a batch of this size waits for a smaller batch. There are always enough that
        fit: all utterances of this batch, or a shorter one, of `_in_order` fit, and no more were used before.
        """
        disturbed = torch.tensor(self.seconds, dtype=torch.float64)
        disturbed *= 1 + JITTER * (2 * torch.rand(len(self.seconds), generator=generator, dtype=torch.float64) - 1)
        upcoming = iter(disturbed.argsort(stable=True).tolist())
        waiting: list[int] = []
        batches = []
        for size in map(len, reversed(self._in_order)):
            waited = iter(waiting)
            batch: list[int] = []
            too_long: list[int] = []
            for index in chain(waited, upcoming):
                (batch if self._fits(size, index) else too_long).append(index)
                if len(batch) == size:
                    break
            waiting = [*too_long, *waited]
            batches.append(batch)
        return batches
