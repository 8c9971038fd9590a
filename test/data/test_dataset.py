"""Items, the same for any number of workers, cached or not, and batches by seconds, a function of seed and epoch."""

import gc
import random
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import soundfile
import torch
from audio_files import tone, write_audio
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from sure.data.audio import read_audio
from sure.data.augment import Augment, AugmentConfig
from sure.data.batching import SecondsBatchSampler
from sure.data.collate import Batch, collate
from sure.data.data_dir import Utterance
from sure.data.dataset import Item, SpeechDataset
from sure.errors import SureError
from sure.train.feed import SAMPLERS

NOISY = AugmentConfig(speed=[0.9, 1.0, 1.1], noise_snr_db=(5, 20))


@pytest.fixture
def utterances(here):
    """16-bit and float files, other rates, and parts of files."""
    write_audio(here / "a.wav", tone(0.5))
    write_audio(here / "b.wav", tone(0.4, 8000, seed=1), 8000)
    soundfile.write(here / "c.wav", tone(0.3, seed=2), 16000, subtype="FLOAT")
    write_audio(here / "d.flac", tone(1.0, seed=3))
    parts = (("a", "a.wav"), ("b", "b.wav"), ("c", "c.wav"), ("d", "d.flac", 0.25, 0.75))
    return [Utterance(*part, text=f"words of {part[0]}") for part in parts]


def waves(dataset, workers=0, epochs=1):
    loader = DataLoader(dataset, 2, collate_fn=collate, num_workers=workers, persistent_workers=bool(workers))
    found = []
    for epoch in range(epochs):
        dataset.set_epoch(epoch)
        for batch in loader:
            found += [wave[:length] for wave, length in zip(batch.waves, batch.wave_lengths, strict=True)]
    return found


def all_equal(some, others):
    return len(some) == len(others) and all(map(torch.equal, some, others))


def test_items_are_waves_and_targets_and_the_cache_is_exact(here, utterances):
    dataset = SpeechDataset(utterances, target=lambda utterance: utterance.text.upper())
    expected = [read_audio(one.audio, one.start, one.end) for one in utterances]
    for _ in range(3):
        items = [dataset[index] for index in range(len(dataset))]
        assert [(item.id, item.target) for item in items] == [(id, f"WORDS OF {id.upper()}") for id in "abcd"]
        assert all_equal([item.wave for item in items], expected)
        for item in items:
            item.wave.zero_()  # does not change the cache
        for path in here.iterdir():
            path.unlink()


def test_the_cache_keeps_to_its_budget(here, utterances):
    # a: 8,000 and d: 8,000 samples as 16-bit integers; b (resampled) 6,400 and c 4,800 as float32
    dataset = SpeechDataset(utterances, target=lambda utterance: None, cache_gigabytes=(16000 + 25600 + 100) / 1e9)
    for index in range(4):
        dataset[index]
    for path in here.iterdir():
        path.unlink()
    assert len(dataset[0].wave) == 8000 and len(dataset[1].wave) == 6400
    with pytest.raises(SureError, match=r"utterance 'c': c\.wav: missing audio file"):
        dataset[2]
    with pytest.raises(SureError):
        SpeechDataset(utterances, target=lambda utterance: None, cache_gigabytes=0)[0]


@pytest.mark.parametrize("cache", [0.0, 1.0])
def test_augmented_items_do_not_depend_on_workers_order_or_cache(utterances, cache):
    def dataset(gigabytes=cache, seed=3):
        return SpeechDataset(utterances, lambda utterance: None, Augment(NOISY), seed, gigabytes)

    alone = waves(dataset(0.0), epochs=3)
    assert all_equal(waves(dataset(), epochs=3), alone)
    assert all_equal(waves(dataset(), workers=2, epochs=3), alone)  # persistent workers receive the epoch
    gc.collect()
    resumed = dataset()
    resumed.set_epoch(2)
    assert all_equal([resumed[index].wave for index in (3, 2, 1, 0)], alone[:7:-1])
    assert not any(torch.equal(a, b) for a, b in zip(alone[:4], alone[4:8], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(alone[:4], waves(dataset(seed=4)), strict=True))
    twins = SpeechDataset([utterances[0], replace(utterances[0], id="twin")], str, Augment(NOISY), 3, cache)
    assert not torch.equal(twins[0].wave, twins[1].wave)


def test_collate_pads_with_zeros_and_keeps_lengths():
    batch = collate([Item(str(n), torch.full((n,), float(n)), {"target": n}) for n in (3, 1, 2)])
    assert batch.ids == ["3", "1", "2"] and batch.targets == [{"target": 3}, {"target": 1}, {"target": 2}]
    assert torch.equal(batch.waves, torch.tensor([[3.0, 3.0, 3.0], [1.0, 0.0, 0.0], [2.0, 2.0, 0.0]]))
    assert batch.wave_lengths.dtype == torch.int64 and batch.wave_lengths.tolist() == [3, 1, 2]
    moved = batch.to("meta")
    assert isinstance(moved, Batch) and moved.waves.device.type == "meta" and moved.wave_lengths.device.type == "cpu"


@pytest.mark.parametrize(("audio", "seconds", "message"), [
    ("a.wav", 0.7, "a.wav has 0.50 s, and had 0.70 s .*stage 2"),
    ("a.wav", 0.3, "a.wav has 0.50 s, and had 0.30 s .*stage 2"),
    ("x.npy", 0.0, "x.npy: unreadable"),
])  # fmt: skip
def test_an_error_names_the_utterance(here, audio, seconds, message):
    write_audio(here / "a.wav", tone(0.5))
    np.save(here / "x.npy", np.zeros(3))
    assert len(SpeechDataset([Utterance("name-1", "a.wav", seconds=0.45)], target=str)[0].wave) == 8000
    with pytest.raises(SureError, match=f"utterance 'name-1': {message}"):
        SpeechDataset([Utterance("name-1", audio, seconds=seconds)], target=str)[0]


durations = st.lists(st.floats(0.01, 30.0), max_size=60) | st.lists(st.sampled_from([1.0, 2.0, 2.5]), max_size=60)


def lengths(count):
    return [min(15.0, random.Random(number).lognormvariate(1.0, 0.7)) for number in range(count)]


def cost(seconds):
    """As the description of train.batch_seconds says."""
    return seconds * max(1.0, 0.9 + seconds / 100)


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
        assert len(batch) == 1 or len(batch) * cost(longest) <= batch_seconds * (1 + 1e-12)
    assert len(batches) == len(sampler) == count
    found = [seconds[index] for batch in batches for index in batch]
    longest_first = sorted(seconds, reverse=True)
    assert found == longest_first or (shuffle and longest_first[0] in found[: len(batches[0])])
    again = SecondsBatchSampler(list(seconds), batch_seconds, seed, shuffle)
    again.set_epoch(epoch)
    assert list(again) == batches == list(sampler)


def test_epochs_and_seeds_differ_in_the_order_and_the_content_of_batches():
    epochs = []
    for seed, epoch in ((1, 0), (1, 1), (1, 2), (2, 0)):
        sampler = SecondsBatchSampler(lengths(1000), 60.0, seed)
        sampler.set_epoch(epoch)
        epochs.append([frozenset(batch) for batch in sampler])
    for some, other in combinations(epochs, 2):
        assert len(set(some) & set(other)) < len(some) / 4
        assert sum(a == b for a, b in zip(some, other, strict=True)) < 5


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(
    ("count", "batch_seconds", "most"), [(333, 30.0, 1.5), (333, 60.0, 2.7), (2000, 120.0, 1.4), (5000, 60.0, 1.1)]
)
def test_less_than_three_percent_is_padding(count, batch_seconds, most, shuffle):
    """most: batches, as a multiple of those that hold all seconds without padding."""
    seconds = lengths(count)
    sampler = SecondsBatchSampler(seconds, batch_seconds, shuffle=shuffle)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        padded = sum(len(batch) * max(seconds[index] for index in batch) for batch in sampler)
        assert padded - sum(seconds) < 0.03 * padded
    assert len(sampler) < most * sum(map(cost, seconds)) / batch_seconds


def test_each_rule_keeps_its_batches():
    """A resumed training needs the batches of its version; these numbers were computed when the rules were made."""
    seconds = [1.0 + index % 7 * 0.5 + index * 0.01 for index in range(20)]
    first = {1: [4, 13, 19], 2: [6, 13], 3: [19, 6, 13]}
    for rule, sizes in {1: [3, 4, 4, 6, 3], 2: [2, 3, 3, 3, 3, 3, 3], 3: [3, 4, 4, 6, 3]}.items():
        sampler = SAMPLERS[rule](seconds, 15.0, seed=5)
        assert [len(batch) for batch in SAMPLERS[rule](seconds, 15.0, shuffle=False)] == sizes
        sampler.set_epoch(3)
        assert next(iter(sampler)) == first[rule]


def test_long_utterances_make_batches_of_fewer_seconds():
    for seconds, count in ((3.0, 40), (10.0, 12), (20.0, 5), (30.0, 3), (60.0, 1)):
        assert {len(batch) for batch in SecondsBatchSampler([seconds] * 120, 120.0)} == {count}


@pytest.mark.parametrize(("seconds", "batch_seconds", "message"), [
    *(([1.0], wrong, f"batch_seconds: expected a positive number, got {wrong}") for wrong in (0.0, float("inf"))),
    *(([1.0, wrong], 10.0, f"utterance number 1: .* got {wrong} s") for wrong in (0.0, float("nan"))),
])  # fmt: skip
def test_impossible_seconds(seconds, batch_seconds, message):
    with pytest.raises(SureError, match=message):
        SecondsBatchSampler(seconds, batch_seconds)
