"""Alignments against all of them, written out, and against scipy's beta-binomial distribution."""

import itertools
import math

import pytest
import torch
from scipy.stats import betabinom

from sure.backbones.aligner import (
    FAR,
    Aligner,
    alignment_prior,
    binarisation,
    forward_sum,
    monotonic_search,
)
from sure.backbones.stored import initialise
from sure.backbones.variance import phone_means, spread

PHONES, FRAMES = torch.tensor([4, 2, 1, 3]), torch.tensor([7, 5, 3, 3])


def scores():
    made = 2 * torch.randn(4, 7, 4, generator=torch.Generator().manual_seed(5))
    return made.masked_fill(torch.arange(4)[None, None] >= PHONES[:, None, None], FAR)


def paths(phones, frames):
    """Every way to give each of the frames a phone, none left out, in order: durations."""
    for cuts in itertools.combinations(range(1, frames), phones - 1):
        ends = [*cuts, frames]
        yield [end - start for start, end in zip([0, *cuts], ends, strict=True)]


def likelihood(row, durations):
    path = [phone for phone, count in enumerate(durations) for _ in range(count)]
    return sum(float(row[frame, phone]) for frame, phone in enumerate(path))


def test_the_search_finds_the_best_of_all_paths():
    found = monotonic_search(scores(), PHONES, FRAMES)
    for row, durations, phones, frames in zip(scores(), found.tolist(), PHONES, FRAMES, strict=True):
        best = max(paths(int(phones), int(frames)), key=lambda path: likelihood(row, path))
        assert durations == best + [0] * (4 - int(phones))
    assert found.sum(1).tolist() == FRAMES.tolist()


def test_forward_sum_is_over_all_paths():
    found = forward_sum(scores(), PHONES, FRAMES)
    for row, loss, phones, frames in zip(scores(), found, PHONES.tolist(), FRAMES.tolist(), strict=True):
        logs = row[:frames, :phones].log_softmax(1)
        total = sum(math.exp(likelihood(logs, path)) for path in paths(phones, frames))
        assert float(loss) == pytest.approx(-math.log(total) / frames, rel=1e-4)


def test_binarisation_is_the_path_under_the_soft_alignment():
    durations = monotonic_search(scores(), PHONES, FRAMES)
    mask = torch.arange(7)[None] < FRAMES[:, None]
    found = binarisation(scores(), spread(durations), mask)
    for row, loss, path, phones, frames in zip(scores(), found, durations.tolist(), PHONES, FRAMES, strict=True):
        logs = row[:frames, :phones].log_softmax(1)
        assert float(loss) == pytest.approx(-likelihood(logs, path) / int(frames), rel=1e-4)


@pytest.mark.parametrize(("phones", "frames", "scale"), [(5, 12, 1.0), (1, 3, 1.0), (9, 9, 0.5)])
def test_the_prior_is_scipys_beta_binomial(phones, frames, scale):
    found = alignment_prior(phones, frames, scale)
    for frame in range(1, frames + 1):
        wanted = betabinom(phones - 1, scale * frame, scale * (frames + 1 - frame)).logpmf(range(phones))
        torch.testing.assert_close(found[frame - 1], torch.tensor(wanted, dtype=torch.float32), atol=1e-4, rtol=1e-4)


def test_the_aligner_leaves_padding_out():
    aligner = Aligner(8, 6, 5, 0.1)
    initialise(aligner, 1)
    phones, mels = torch.randn(2, 4, 8), torch.randn(2, 9, 6)
    phone_mask, mel_mask = (
        torch.arange(4)[None] < torch.tensor([[4], [2]]),
        torch.arange(9)[None] < torch.tensor([[9], [5]]),
    )
    together = aligner(phones, phone_mask, mels, mel_mask, torch.zeros(2, 9, 4))
    alone = aligner(phones[1:, :2], None, mels[1:, :5], None, torch.zeros(1, 5, 2))
    torch.testing.assert_close(together[1:, :5, :2], alone)
    assert (together[1, :, 2:] == FAR).all()


def test_phones_spread_over_frames_and_frames_averaged_over_phones():
    durations = torch.tensor([[2, 0, 3], [1, 1, 0]])
    assert spread(durations).tolist() == [[0, 0, 2, 2, 2], [0, 1, 2, 2, 2]]
    values = torch.tensor([[1.0, 3.0, 4.0, 5.0, 9.0], [7.0, 8.0, 100.0, 100.0, 100.0]])
    assert phone_means(values, durations).tolist() == [[2.0, 0.0, 6.0], [7.0, 8.0, 0.0]]
