"""Batch mates never change a result, however short the clip; and a pass may start at any layer."""

import pytest
import torch
from originals import waves
from torch import nn

from sure.backbones.tiny import MODELS, Family

LENGTHS = [6000, 4001, 1999, 900, 430, 100, 1, 0]
TOLERANCE = 1e-5


class MeanAdded(nn.Module):
    """Adds a share of the mean of the valid frames: wrong as soon as `frames` is."""

    share = 0.1

    def __init__(self):
        super().__init__()
        self.given = []

    def forward(self, input, output, frames):
        self.given.append(frames)
        means = [row[:length].sum(0) / max(length, 1) for row, length in zip(output, frames.lengths, strict=True)]
        return output + self.share * torch.stack(means)[:, None]


class Prefix(nn.Module):
    def __init__(self, width, masked):
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(2, 5, width, generator=torch.Generator().manual_seed(1)))
        self.masked = masked

    def forward(self, queries, keys, values, attend):
        more_keys, more_values = (part.expand(len(keys), -1, -1) for part in self.vectors)
        if self.masked:
            return attend(queries, torch.cat([more_keys, keys], 1), torch.cat([more_values, values], 1))
        return attend(queries, keys, values) + attend(queries, more_keys, more_values, masked=False)


def widest_difference(backbone, lengths):
    """Between an utterance in a padded batch and alone, over all taps."""
    batch = waves(lengths)
    encoded = backbone(batch, torch.tensor(lengths))
    worst = 0.0
    for index, samples in enumerate(lengths):
        alone = backbone(batch[index : index + 1, :samples], torch.tensor([samples]))
        frames = int(alone.lengths)
        assert int(encoded.lengths[index]) == frames
        for padded, single in zip(encoded.taps, alone.taps, strict=True):
            assert padded.isfinite().all() and single.isfinite().all()
            if frames:
                worst = max(worst, (padded[index, :frames] - single[0, :frames]).abs().max().item())
    return worst


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_padded_equals_alone(model):
    assert widest_difference(Family.from_weights(f"random:{model}", seed=1), LENGTHS) < TOLERANCE


@pytest.mark.parametrize("model", ["wav2vec2", "moonshine", "data2vec_audio"])
@torch.no_grad()
def test_as_trained_does_not(model):
    """The originals look at padding, in group norms or position convolutions; shows too that the setting arrives."""
    backbone = Family.from_weights(f"random:{model}", padding="as_trained", seed=1)
    assert widest_difference(backbone, LENGTHS[:3]) > 0.01


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_padded_equals_alone_with_every_slot_taken(model, masked):
    backbone = Family.from_weights(f"random:{model}", seed=1)
    for site in backbone.sites():
        if site.kind == "attention":
            site.slot.attached["prefix"] = Prefix(site.width_out, masked)
        elif site.slot is not None:
            site.slot.attached["mean"] = MeanAdded()
    assert widest_difference(backbone, LENGTHS[:5]) < TOLERANCE


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_full_batches_are_known_as_full(model):
    backbone = Family.from_weights(f"random:{model}")
    watcher = MeanAdded()
    for site in backbone.sites():
        if site.kind in ("linear", "convolution"):
            site.slot.attached["watcher"] = watcher
    backbone(waves([4000, 4000]), torch.tensor([4000, 4000]))
    assert watcher.given and all(frames.full for frames in watcher.given)


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_a_pass_starts_at_any_layer(model):
    backbone = Family.from_weights(f"random:{model}", seed=2)
    lengths = torch.tensor([5000, 2100])
    whole = backbone(waves([5000, 2100]), lengths)
    for depth in range(len(backbone.layers) + 1):
        taps = [None] * depth + [whole.taps[depth]]
        encoded = backbone.resume(taps, backbone.frame_count(lengths))
        assert torch.equal(encoded.last, whole.last)
        assert all(torch.equal(*pair) for pair in zip(encoded.taps[depth:], whole.taps[depth:], strict=True))


@pytest.mark.parametrize("model", MODELS)
def test_frame_count_is_what_comes_out(model):
    backbone = Family.from_weights(f"random:{model}")
    for samples in range(0, 3000, 97):
        frames = int(backbone.frame_count(torch.tensor([samples])))
        with torch.no_grad():
            time = backbone.front(torch.zeros(1, samples), torch.tensor([samples])).shape[1]
        assert time == max(frames, 1)


@pytest.mark.parametrize("model", MODELS)
def test_training_mode_changes_nothing(model):
    """No dropout and no layer drop in frozen layers."""
    backbone = Family.from_weights(f"random:{model}")
    both, lengths = waves([3000, 2000]), torch.tensor([3000, 2000])
    with torch.no_grad():
        assert torch.equal(backbone.train()(both, lengths).last, backbone.eval()(both, lengths).last)


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_half_precision_stays_near(model):
    backbone = Family.from_weights(f"random:{model}")
    both, lengths = waves([3000, 2000, 0]), torch.tensor([3000, 2000, 0])
    wanted = backbone(both, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        found = backbone(both, lengths)
    for index, frames in enumerate(wanted.lengths.tolist()[:2]):
        ours, theirs = found.last[index, :frames].float(), wanted.last[index, :frames]
        cosines = torch.cosine_similarity(ours, theirs, dim=-1)
        assert cosines.mean() > 0.99 and cosines.min() > 0.97  # 0.976 with AMX, 0.99 on processors without
    assert all(tap.isfinite().all() for tap in found.taps)


@pytest.mark.parametrize("model", MODELS)
def test_gradients_are_finite_and_reach_every_parameter(model):
    backbone = Family.from_weights(f"random:{model}")
    encoded = backbone(waves([3000, 2000, 0]), torch.tensor([3000, 2000, 0]))
    sum(tap.pow(2).mean() for tap in encoded.taps).backward()
    for name, parameter in backbone.named_parameters():
        if name in backbone.fixed_parameters:
            assert not parameter.requires_grad
        else:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
