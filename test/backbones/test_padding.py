"""Other utterances of a batch never change a result, however short it is; and a pass may start at any layer."""

import pytest
import torch
from originals import waves

from sure.backbones.tiny import MODELS, Family

LENGTHS = [6000, 4001, 1999, 900, 430, 100, 1, 0]


@torch.no_grad()
def widest_difference(backbone, lengths):
    """The largest difference between an utterance in a padded batch, of loud and quiet ones, and alone, in any tap."""
    batch = waves(lengths)
    batch[1::2] *= 1e-5
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
def test_padded_equals_alone(model):
    assert widest_difference(Family.from_weights(f"random:{model}", seed=1), LENGTHS) < 1e-5


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
