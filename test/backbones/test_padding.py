"""Other utterances of a batch never change a result, however short it is; and a pass may start at any layer."""

import pytest
import torch
from originals import waves
from torch import nn

from sure.backbones.tiny import MODELS, Family

LENGTHS = [6000, 4001, 1999, 900, 430, 100, 1, 0]
TOLERANCE = 1e-5


class MeanAdded(nn.Module):
    """Adds a tenth of the mean of the valid frames, which is wrong as soon as `frames` is."""

    def forward(self, input, output, frames):
        means = [row[:length].sum(0) / max(length, 1) for row, length in zip(output, frames.lengths, strict=True)]
        return output + 0.1 * torch.stack(means)[:, None]


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


@torch.no_grad()
def widest_difference(backbone, lengths):
    """The largest difference between an utterance in a padded batch and alone, over all taps."""
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


@pytest.mark.parametrize("prefix", [None, "masked", "own"])
@pytest.mark.parametrize("model", MODELS)
def test_padded_equals_alone(model, prefix):
    """Without modules, and with a module in every slot."""
    backbone = Family.from_weights(f"random:{model}", seed=1)
    for site in backbone.sites() if prefix else ():
        if site.kind == "attention":
            site.slot.attached["prefix"] = Prefix(site.width_out, prefix == "masked")
        elif site.slot is not None:
            site.slot.attached["mean"] = MeanAdded()
    assert widest_difference(backbone, LENGTHS[:5] if prefix else LENGTHS) < TOLERANCE


@pytest.mark.parametrize("model", ["wav2vec2", "moonshine", "data2vec_audio"])
def test_as_trained_does_not(model):
    """The originals compute group norms or position convolutions over padding."""
    backbone = Family.from_weights(f"random:{model}", padding="as_trained", seed=1)
    assert widest_difference(backbone, LENGTHS[:3]) > 0.01


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
@torch.no_grad()
def test_frame_count_is_what_comes_out(model):
    backbone = Family.from_weights(f"random:{model}")
    for samples in range(0, 3000, 97):
        frames = int(backbone.frame_count(torch.tensor([samples])))
        assert backbone.front(torch.zeros(1, samples), torch.tensor([samples])).shape[1] == max(frames, 1)


@pytest.mark.parametrize("model", MODELS)
def test_training_mode_half_precision_and_gradients(model):
    """Frozen layers have no dropout and no layer drop."""
    backbone = Family.from_weights(f"random:{model}")
    both, lengths = waves([3000, 2000, 0]), torch.tensor([3000, 2000, 0])
    with torch.no_grad():
        wanted = backbone.eval()(both, lengths)
        assert torch.equal(backbone.train()(both, lengths).last, wanted.last)
        with torch.autocast("cpu", torch.bfloat16):
            half = backbone(both, lengths)
    for index, frames in enumerate(wanted.lengths.tolist()[:2]):
        cosines = torch.cosine_similarity(half.last[index, :frames].float(), wanted.last[index, :frames], dim=-1)
        assert cosines.mean() > 0.99 and cosines.min() > 0.97  # 0.976 with AMX, 0.99 on processors without
    assert all(tap.isfinite().all() for tap in half.taps)
    sum(tap.pow(2).mean() for tap in backbone(both, lengths).taps).backward()
    for name, parameter in backbone.named_parameters():
        if name in backbone.fixed_parameters:
            assert not parameter.requires_grad
        else:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
