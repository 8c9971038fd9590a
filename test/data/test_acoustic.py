"""Mel spectrogram and energy against librosa, in the arrangement of HiFi-GAN; trimming; pitch of known sounds."""

import librosa
import numpy as np
import pytest
import torch
from audio_files import write_audio
from pydantic import ValidationError
from speech import speech

from sure.data.data_dir import Utterance
from sure.data.synthesis.acoustic import AcousticConfig, energy, log_mel, magnitudes, read_speech, speech_span
from sure.data.synthesis.pitch import pitch

CONFIG = AcousticConfig()
RATE, HOP = CONFIG.sample_rate, CONFIG.hop_size
SMALL = {"sample_rate": 16000, "fft_size": 800, "hop_size": 200, "window_size": 600, "mels": 40}


@pytest.mark.parametrize("config", [CONFIG, AcousticConfig(**SMALL, mel_low_hz=60, mel_high_hz=7600)])
def test_like_librosa(config):
    wave = speech("hello world", "anna", config.sample_rate)[: 256 * 60 + 100]
    padded = np.pad(wave, (config.fft_size - config.hop_size) // 2, mode="reflect")
    size = {"n_fft": config.fft_size, "hop_length": config.hop_size, "win_length": config.window_size}
    theirs = np.abs(librosa.stft(padded, **size, center=False))
    bounds = {"fmin": config.mel_low_hz, "fmax": config.mel_high_hz}
    filters = librosa.filters.mel(sr=config.sample_rate, n_fft=config.fft_size, n_mels=config.mels, **bounds)
    ours = magnitudes(torch.from_numpy(wave), config)
    assert ours.shape == (len(wave) // config.hop_size, config.fft_size // 2 + 1)
    np.testing.assert_allclose(ours.numpy().T, theirs, atol=2e-5)
    mel = np.log(np.maximum(filters @ theirs, config.mel_floor))
    np.testing.assert_allclose(log_mel(ours, config).numpy().T, mel, atol=2e-3)
    np.testing.assert_allclose(energy(ours).numpy(), np.linalg.norm(theirs, axis=0), rtol=1e-4)


def test_silence_is_cut_at_the_ends_only(tmp_path):
    loud = torch.from_numpy(speech("aeiou", "anna", RATE))
    quiet = 1e-4 * torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    first, last = speech_span(torch.cat([quiet, loud, loud, quiet]), CONFIG)
    # the sound has some silence of its own, and half a window reaches beyond it on both sides
    assert abs(first - RATE) < 0.1 * RATE and abs(last - RATE - 2 * len(loud)) < 0.1 * RATE
    assert speech_span(loud, AcousticConfig(trim_db=None)) == (0, len(loud))
    first, last = speech_span(torch.cat([loud, torch.zeros(RATE), loud]), CONFIG)
    assert last - first > RATE + len(loud)
    wave = np.concatenate([np.zeros(RATE), loud.numpy(), np.zeros(RATE)])
    file = str(write_audio(tmp_path / "a.wav", wave, RATE))
    kept, start = read_speech(Utterance("a", file), CONFIG)
    assert 0.9 < start < 1.1
    np.testing.assert_allclose(kept, wave[round(start * RATE) :][: len(kept)], atol=1e-4)
    frames = 40 * HOP / RATE  # the kept part begins at a frame
    assert torch.equal(read_speech(Utterance("a", file, start=frames), CONFIG)[0], kept)


@pytest.mark.parametrize("hertz", [80, 120, 210, 240])
def test_pitch_of_a_glide(hertz):
    """Harmonics that rise by an octave in a second: the pitch of each frame is that at its centre."""
    true = hertz * 2 ** (np.arange(RATE) / RATE)
    phase = 2 * np.pi * np.cumsum(true) / RATE
    wave = sum(np.sin(k * phase) / k for k in range(1, int(4000 / hertz)))
    found = pitch(torch.from_numpy(0.3 * wave).float(), CONFIG)
    voiced = found > 0
    assert found.dtype == np.float32 and len(found) == RATE // HOP and voiced.mean() > 0.9
    centres = ((np.arange(len(found)) + 0.5) * HOP).astype(int)
    cents = 1200 * np.log2(found[voiced] / true[centres][voiced])
    assert np.abs(cents).max() < 60 and abs(np.median(cents)) < 6  # half a frame would be 7


def test_noise_and_silence_have_no_pitch():
    noise = 0.1 * torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    assert np.mean(pitch(noise, CONFIG) > 0) < 0.05
    assert not pitch(torch.zeros(RATE), CONFIG).any()


@pytest.mark.parametrize(("key", "value"), [
    ("mel_high_hz", 12000), ("hop_size", 2048), ("hop_size", 255), ("pitch_low_hz", 600)
])  # fmt: skip
def test_settings_that_do_not_fit(key, value):
    with pytest.raises(ValidationError, match="expected"):
        AcousticConfig(**{key: value})
