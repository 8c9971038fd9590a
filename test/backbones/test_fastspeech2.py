"""FastSpeech 2: convolutions as linear maps, padding without effect, and controls."""

import pytest
import torch
from originals import Recorder
from torch import nn

from sure.backbones.fastspeech2 import Controls, Family
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
