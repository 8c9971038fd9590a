"""Augmentation: the right amount of it, the same for the same generator."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio
from audio_files import tone, write_audio
from pydantic import ValidationError

from sure.data.augment import Augment, AugmentConfig, spec_augment
from sure.data.dataset import generator_for
from sure.errors import SureError

WAVE = torch.from_numpy(tone(2.0)).float()


def snr(clean, noisy):
    return float(10 * torch.log10(clean.square().mean() / (noisy - clean).square().mean()))


def test_speed_is_that_of_torchaudio_by_one_of_the_factors():
    wave, factors = WAVE[:1600], [0.9, 1.0, 1.1, 1.37]
    expected = [torchaudio.functional.speed(wave, 16000, factor)[0] for factor in factors]
    drawn = [Augment(AugmentConfig(speed=factors))(wave, generator_for(draw)) for draw in range(120)]
    counts = [sum(torch.equal(one, other) for other in drawn) for one in expected]
    assert sum(counts) == 120 and min(counts) > 15 and len(expected[0]) == 1778


@pytest.mark.parametrize(("kind", "slope"), [("white", 0), ("pink", -1)])
def test_noise_has_the_requested_ratio_and_spectrum(kind, slope):
    augment = Augment(AugmentConfig(noise_snr_db=(3.0, 9.0), noise=kind))
    ratios = [snr(WAVE, augment(WAVE, generator_for(draw))) for draw in range(60)]
    assert 3.0 - 0.01 < min(ratios) < 4.0 and 8.0 < max(ratios) < 9.0 + 0.01
    wave = torch.full((1 << 17,), 0.1)
    power = torch.fft.rfft(augment(wave, generator_for(0)) - wave).abs().square()[1:]
    octaves = torch.stack([power[2**k : 2 ** (k + 1)].mean().log2() for k in range(5, 15)])
    assert abs(float(octaves[-1] - octaves[0]) / 9 - slope) < 0.1
    assert len(augment(wave[:7], generator_for(0))) == 7


def test_noise_from_files(here):
    for number in range(3):
        write_audio(here / "noise" / f"{number}.wav", np.full(800, 0.1 * (number + 1)))
    (here / "noise" / "README").write_text("not audio")
    (here / "list.txt").write_text("noise/2.wav\n\n")
    augment = Augment(AugmentConfig(noise_snr_db=(10, 10), noise_files="noise"))
    assert [Path(path).name for path in augment.noises] == ["0.wav", "1.wav", "2.wav"]
    noisy = augment(WAVE, generator_for(0))  # shorter than the wave, so repeated
    assert noisy.shape == WAVE.shape and snr(WAVE, noisy) == pytest.approx(10, abs=0.01)
    assert torch.allclose(noisy - WAVE, (noisy - WAVE)[0].expand_as(WAVE), atol=1e-5)
    assert Augment(AugmentConfig(noise_snr_db=(10, 10), noise_files="list.txt")).noises == ["noise/2.wav"]
    (here / "list.txt").write_text("\n")
    for missing in ("nowhere", "list.txt"):
        with pytest.raises(SureError, match=f"noise_files: {missing}"):
            Augment(AugmentConfig(noise_snr_db=(10, 10), noise_files=missing))


def test_noise_probability_and_silence():
    augment = Augment(AugmentConfig(noise_snr_db=(10, 10), noise_probability=0.3))
    assert 35 < sum(not torch.equal(augment(WAVE, generator_for(draw)), WAVE) for draw in range(200)) < 85
    silence = torch.zeros(100)
    assert torch.equal(Augment(AugmentConfig(noise_snr_db=(10, 10)))(silence, generator_for(0)), silence)


@pytest.mark.parametrize("seed", range(60))
def test_masks(seed):
    draw = random.Random(seed).randint
    lengths = [draw(1, 40) for _ in range(draw(1, 5))]
    frames, width, channels, channel_width = draw(1, 3), draw(1, 15), draw(0, 3), draw(1, 6)
    config = AugmentConfig(
        time_masks=frames, time_mask_frames=width, channel_masks=channels, channel_mask_width=channel_width
    )
    features = torch.ones(len(lengths), max(lengths), 20, requires_grad=True)  # more than all channel masks together
    masked = spec_augment(features, torch.tensor(lengths), config, generator_for(seed))
    assert bool((features == 1).all()) and bool(((masked == 0) | (masked == 1)).all())
    assert torch.equal(masked, spec_augment(features, torch.tensor(lengths), config, generator_for(seed)))
    masked.sum().backward()
    assert torch.equal(features.grad, masked)
    for row, length in zip(masked == 0, lengths, strict=True):
        hidden_frames, hidden_channels = row.all(dim=1), row.all(dim=0)
        assert int(hidden_frames.sum()) <= frames * min(width, int(length * 0.2))
        assert int(hidden_channels.sum()) <= channels * channel_width
        assert torch.equal(row, hidden_frames[:, None] | hidden_channels)
        assert not bool(hidden_frames[length:].any())


def test_masks_reach_every_place_and_width_and_differ_between_utterances():
    config = AugmentConfig(time_masks=1, time_mask_frames=4, time_mask_share=1.0)
    masked = spec_augment(torch.ones(4000, 10, 1), torch.full((4000,), 10), config, generator_for(0))[..., 0] == 0
    counts = torch.bincount(masked.sum(dim=1), minlength=5)
    assert len(counts) == 5 and int(counts.min()) > 600 and int(counts.max()) < 1000
    assert bool(masked.any(dim=0).all())
    config = AugmentConfig(channel_masks=1, channel_mask_width=3)
    masked = spec_augment(torch.ones(500, 1, 8), torch.ones(500, dtype=torch.int64), config, generator_for(0)) == 0
    assert bool(masked.any(dim=0).all()) and len(masked.unique(dim=0)) > 10


@pytest.mark.parametrize(("settings", "message"), [
    ({"noise_snr_db": [20, 5]}, "lowest, highest"), ({"noise_files": "x"}, "needs noise_snr_db"),
])  # fmt: skip
def test_wrong_settings(settings, message):
    with pytest.raises(ValidationError, match=message):
        AugmentConfig(**settings)
