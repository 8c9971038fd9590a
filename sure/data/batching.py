"""Batches of utterances of similar length, limited by seconds of audio, in a seeded order."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

from sure.data.dataset import generator_for
from sure.errors import SureError


class SecondsBatchSampler(Sampler[list[int]]):
    """Yields lists of indices with count * longest <= batch_seconds; a longer utterance is a batch of its own.

    The number and sizes of batches depend only on the durations, so schedules can rely on `len()`. The utterances of
    each batch and the order of batches are a pure function of (seed, epoch). The batch with the longest utterance comes
    first, so that a lack of memory shows at once. Without `shuffle`, every epoch goes from long to short.

    Raises SureError for a batch_seconds or duration that is not a positive number.
    """

    def __init__(self, seconds: Sequence[float], batch_seconds: float, seed: int = 0, shuffle: bool = True):
        if not (batch_seconds > 0 and math.isfinite(batch_seconds)):
            raise SureError(f"batch_seconds: expected a positive number, got {batch_seconds}")
        for index, duration in enumerate(seconds):
            if not (duration > 0 and math.isfinite(duration)):
                raise SureError(f"utterance number {index}: expected a positive duration, got {duration} s")
        self.seconds = list(seconds)
        self.batch_seconds = batch_seconds
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0
        self._by_length = sorted(range(len(self.seconds)), key=lambda index: (self.seconds[index], index))
        self._in_order = self._cut_in_order()

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._in_order)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._shuffled() if self.shuffle and self._in_order else self._in_order)

    def _fits(self, count: int, index: int) -> bool:
        return count == 1 or count * self.seconds[index] <= self.batch_seconds

    def _cut_in_order(self) -> list[list[int]]:
        """Batches from long to short, each as large as its first, longest utterance allows."""
        batches: list[list[int]] = []
        for index in reversed(self._by_length):
            if batches and self._fits(len(batches[-1]) + 1, batches[-1][0]):
                batches[-1].append(index)
            else:
                batches.append([index])
        return batches

    def _shuffled(self) -> list[list[int]]:
        """Fill batches of the same sizes, the largest first, each with random utterances of the shortest ones left.

        The candidates are twice as many as needed, where the limit allows, so that lengths stay similar. This always
        succeeds: larger batches need shorter utterances, so they use the short ones first.
        """
        generator = generator_for(self.seed, self.epoch)
        shortest_first = iter(self._by_length)
        upcoming = next(shortest_first)
        candidates: list[int] = []
        batches = []
        for size in sorted(map(len, self._in_order), reverse=True):
            while upcoming is not None and len(candidates) < 2 * size and self._fits(size, upcoming):
                candidates.append(upcoming)
                upcoming = next(shortest_first, None)
            order = torch.randperm(len(candidates), generator=generator).tolist()
            batches.append([candidates[position] for position in order[:size]])
            candidates = [candidates[position] for position in sorted(order[size:])]
        order = torch.randperm(len(batches), generator=generator).tolist()
        longest = max(order, key=lambda number: max(self.seconds[index] for index in batches[number]))
        order.remove(longest)
        return [batches[number] for number in [longest, *order]]
