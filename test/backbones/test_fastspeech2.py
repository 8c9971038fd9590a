"""FastSpeech 2: linear maps of windows, padding and controls; and its aligner, compared with all possible paths."""

import itertools
import math

import pytest
import torch
from originals import Recorder
from scipy.stats import betabinom
from torch import nn

from sure.backbones import aligner
from sure.backbones.aligner import BLANK, FAR, alignment_prior, binarisation, forward_sum, match, monotonic_search
from sure.backbones.fastspeech2 import Controls, Family
from sure.backbones.fastspeech2_parts import phone_means, spread
from sure.backbones.own_format import initialise
from sure.frames import Frames

LENGTHS = torch.tensor([9, 6, 2])


@pytest.fixture(scope="module", params=["tiny", "tiny_conformer"])
def tiny(request):
    return Family.from_weights(f"random:{request.param}", phones=("<pad>", "<unk>", "A", "B", "C", "D")).eval()


def phones():
    numbers = torch.randint(2, 6, (3, 9), generator=torch.Generator().manual_seed(2))
    return numbers * (torch.arange(9)[None] < LENGTHS[:, None])


@torch.no_grad()
def test_a_convolution_is_a_linear_map_of_windows(tiny):
    """Methods for linear maps apply to it: the input of its site times its weight is its output."""
    site = next(site for site in tiny.sites() if site.name == "decoder.layer.1.ffn.in")
    recorder = site.slot.attached["recorder"] = Recorder()
    tiny(phones(), LENGTHS, tiny.voice(None), durations=torch.full((3, 9), 2) * (phones() > 0))
    site.slot.attached.clear()
    input, output, frames = recorder.called
    assert (site.kind, site.width_in, site.width_out) == ("linear", 3 * 32, 48)
    assert input.shape[2] == site.width_in and frames.lengths.tolist() == (2 * LENGTHS).tolist()
    torch.testing.assert_close(nn.functional.linear(input, site.host.weight, site.host.bias), output)


@torch.no_grad()
def test_batch_mates_change_nothing(tiny):
    together = tiny(phones(), LENGTHS, tiny.voice(None))
    for row, length in enumerate(LENGTHS.tolist()):
        alone = tiny(phones()[row : row + 1, :length], LENGTHS[row : row + 1], tiny.voice(None))
        (frames,) = alone.frames.lengths.tolist()
        assert frames == together.frames.lengths[row]
        for found, wanted in ((alone.mel, together.mel), (alone.refined, together.refined)):
            torch.testing.assert_close(found[0], wanted[row, :frames], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_controls(tiny):
    plain = tiny(phones(), LENGTHS, tiny.voice(None))
    higher = tiny(phones(), LENGTHS, tiny.voice(None), controls=Controls(pitch=1.5))
    ratio = tiny.hertz(higher.used_pitch) / tiny.hertz(plain.used_pitch)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 1.5))
    assert not torch.equal(plain.mel, higher.mel)
    long = torch.full((1, 4), 2.5)  # log(frames + 1): 11 frames each
    assert Family.frames_of(long, Frames([4]), 1.0).tolist() == [[11] * 4]
    assert Family.frames_of(long, Frames([4]), 2.0).tolist() == [[6] * 4]
    assert Family.frames_of(torch.full((1, 4), -3.0), Frames([4]), 1.0).sum() == 1


COUNTS, FRAMES = torch.tensor([4, 2, 1, 3]), torch.tensor([7, 5, 3, 3])
SIZES = COUNTS.tolist(), FRAMES.tolist()
PADDED = Frames(COUNTS, 4), Frames(FRAMES, 7)


def scores():
    made = 2 * torch.randn(4, 7, 4, generator=torch.Generator().manual_seed(5))
    return made.masked_fill(torch.arange(4)[None, None] >= COUNTS[:, None, None], FAR)


def paths(phones, frames):
    """All durations of the phones, at least one frame each, that sum to the number of frames."""
    for cuts in itertools.combinations(range(1, frames), phones - 1):
        ends = [*cuts, frames]
        yield [end - start for start, end in zip([0, *cuts], ends, strict=True)]


def likelihood(row, durations):
    path = [phone for phone, count in enumerate(durations) for _ in range(count)]
    return sum(float(row[frame, phone]) for frame, phone in enumerate(path))


def test_the_search_finds_the_best_of_all_paths_and_binarisation_is_its_likelihood():
    durations = monotonic_search(scores(), *PADDED)
    losses = binarisation(scores(), spread(durations), PADDED[1])
    assert durations.sum(1).tolist() == FRAMES.tolist()
    for row, found, loss, phones, frames in zip(scores(), durations.tolist(), losses, *SIZES, strict=True):
        best = max(paths(phones, frames), key=lambda path: likelihood(row, path))
        assert found == best + [0] * (4 - phones)
        logs = row[:frames, :phones].log_softmax(1)
        assert float(loss) == pytest.approx(-likelihood(logs, best) / frames, rel=1e-4)


def test_forward_sum_is_over_all_paths_with_blanks_between_phones():
    """CTC's paths: each phone at least one frame, blanks of a fixed score before, between and after them."""
    found = forward_sum(scores(), *PADDED)
    for row, loss, phones, frames in zip(scores(), found, *SIZES, strict=True):
        logs = torch.cat([torch.full((frames, 1), BLANK), row[:frames, :phones]], 1).log_softmax(1)
        total = 0.0
        for path in itertools.product(range(phones + 1), repeat=frames):
            if [key for key, _ in itertools.groupby(path) if key] == list(range(1, phones + 1)):
                total += math.exp(sum(float(logs[frame, token]) for frame, token in enumerate(path)))
        assert float(loss) == pytest.approx(-math.log(total) / frames, rel=1e-4)


@pytest.mark.parametrize(("phones", "frames", "scale"), [(5, 12, 1.0), (1, 3, 1.0), (9, 9, 0.5)])
def test_the_prior_is_scipys_beta_binomial(phones, frames, scale):
    found = alignment_prior(phones, frames, scale)
    for frame in range(1, frames + 1):
        wanted = betabinom(phones - 1, scale * frame, scale * (frames + 1 - frame)).logpmf(range(phones))
        torch.testing.assert_close(found[frame - 1], torch.tensor(wanted, dtype=torch.float32), atol=1e-4, rtol=1e-4)


def test_it_learns_where_phones_end():
    """From the order of phones only; each phone has a spectrum and a length of its own."""
    generator = torch.Generator().manual_seed(1)
    phones = torch.rand(16, 6, generator=generator).argsort(1)
    wanted, spectra = torch.tensor([3, 5, 8, 4, 12, 6])[phones], 2 * torch.randn(6, 8, generator=generator)
    mels = torch.stack([spectra[row].repeat_interleave(counts, 0) for row, counts in zip(phones, wanted, strict=True)])
    mels += 0.1 * torch.randn(mels.shape, generator=generator)
    positions, frames = Frames([6] * 16, 6), Frames([38] * 16, 38)
    parts = nn.ModuleList([nn.Embedding(6, 16), aligner.Aligner(16, 8, 16, 0.1)])
    initialise(parts, 1)
    optimizer = torch.optim.Adam(parts.parameters(), lr=1e-2)
    errors = []
    for _ in range(121):
        found, made = parts[1](parts[0](phones), positions, mels, alignment_prior(6, 38).expand(16, -1, -1))
        durations = monotonic_search(found, positions, frames)
        errors.append(float((durations - wanted).abs().float().mean()))
        loss = match(made, mels, spread(durations), frames) + forward_sum(found, positions, frames)
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
    assert errors[-1] < 0.5 < 2 < errors[0]


def test_phones_spread_over_frames_and_frames_averaged_over_phones():
    durations = torch.tensor([[2, 0, 3], [1, 1, 0]])
    assert spread(durations).tolist() == [[0, 0, 2, 2, 2], [0, 1, 2, 2, 2]]
    values = torch.tensor([[1.0, 3.0, 4.0, 5.0, 9.0], [7.0, 8.0, 100.0, 100.0, 100.0]])
    assert phone_means(values, durations).tolist() == [[2.0, 0.0, 6.0], [7.0, 8.0, 0.0]]
