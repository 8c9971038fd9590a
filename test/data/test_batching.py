"""Batches by seconds: every index once, the limit kept, the order a function of seed and epoch."""

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sure.data.batching import SecondsBatchSampler
from sure.errors import SureError

durations = st.lists(st.floats(0.01, 30.0), max_size=60) | st.lists(st.sampled_from([1.0, 2.0, 2.5]), max_size=60)


def lengths(count):
    return [min(15.0, random.Random(number).lognormvariate(1.0, 0.7)) for number in range(count)]


@settings(max_examples=300, deadline=None)
@given(durations, st.floats(1.0, 100.0), st.integers(0, 2**40), st.integers(0, 1000), st.booleans())
def test_every_index_once_and_the_limit_kept(seconds, batch_seconds, seed, epoch, shuffle):
    sampler = SecondsBatchSampler(seconds, batch_seconds, seed, shuffle)
    count = len(sampler)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert sorted(index for batch in batches for index in batch) == list(range(len(seconds)))
    for batch in batches:
        longest = max(seconds[index] for index in batch)
        assert len(batch) == 1 or len(batch) * longest <= batch_seconds
    assert len(batches) == len(sampler) == count
    assert not seconds or max(seconds) in [seconds[index] for index in batches[0]]
    again = SecondsBatchSampler(list(seconds), batch_seconds, seed, shuffle)
    again.set_epoch(epoch)
    assert list(again) == batches == list(sampler)


def test_epochs_and_seeds_differ_in_the_order_and_the_content_of_batches():
    epochs = []
    for seed, epoch in ((1, 0), (1, 1), (1, 2), (2, 0)):
        sampler = SecondsBatchSampler(lengths(200), 60.0, seed)
        sampler.set_epoch(epoch)
        epochs.append({frozenset(batch) for batch in sampler})
    for some, other in combinations(epochs, 2):
        assert len(some & other) < len(some) / 2


@pytest.mark.parametrize(("count", "batch_seconds"), [(333, 60.0), (2000, 120.0), (333, 30.0)])
def test_similar_lengths_are_together(count, batch_seconds):
    seconds = lengths(count)

    sampler = SecondsBatchSampler(seconds, batch_seconds)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        padded = sum(len(batch) * max(seconds[index] for index in batch) for batch in sampler)
        assert padded < 1.2 * sum(seconds)  # in any order: more than 1.8
        assert len(sampler) < 1.25 * sum(seconds) / batch_seconds + 1


def test_without_shuffling_from_long_to_short():
    seconds = [1.0, 5.0, 3.0, 2.0, 100.0]
    assert list(SecondsBatchSampler(seconds, 10.0, shuffle=False)) == [[4], [1, 2], [3, 0]]
    assert list(SecondsBatchSampler([], 10.0)) == []


@pytest.mark.parametrize(("seconds", "batch_seconds", "message"), [
    *(([1.0], wrong, f"batch_seconds: expected a positive number, got {wrong}") for wrong in (0.0, float("inf"))),
    *(([1.0, wrong], 10.0, f"utterance number 1: .* got {wrong} s") for wrong in (0.0, float("nan"))),
])  # fmt: skip
def test_wrong_values(seconds, batch_seconds, message):
    with pytest.raises(SureError, match=message):
        SecondsBatchSampler(seconds, batch_seconds)
