"""The batches of earlier versions, for trainings that began with them."""

import math

import torch

from sure.data.batching import SecondsBatchSampler


class NarrowBatchSampler(SecondsBatchSampler):
    """As SecondsBatchSampler, with similar lengths also in sets of few utterances. Written on 2026-11-29."""

    rule = 2
    few = 0


class FirstBatchSampler(SecondsBatchSampler):
    """As SecondsBatchSampler, with count * longest <= batch_seconds and lengths that differ more. Before 2026-11-29."""

    rule = 1
    difference = math.inf

    def _fits(self, count: int, index: int) -> bool:
        return count == 1 or count * self.seconds[index] <= self.batch_seconds

    def _random_batches(self, generator: torch.Generator) -> list[list[int]]:
        """Fill batches of the same sizes, the largest first, each with random utterances of the shortest ones left.

        The candidates are twice as many as needed, where the limit allows.
        """
        shortest_first = iter(index for batch in reversed(self._in_order) for index in reversed(batch))
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
        return batches
