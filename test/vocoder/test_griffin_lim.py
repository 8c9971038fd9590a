"""Griffin-Lim on real speech: spectrogram, position and repeatability of the waveform."""

import numpy as np
import pytest
import torch
from published import fetch_speech
from scipy.signal import butter, filtfilt

from sure.data.audio import read_audio
from sure.data.synthesis import acoustic
from sure.vocoder.griffin_lim import GriffinLim

ACOUSTIC = acoustic.AcousticConfig()


def log_mel(wave):
    return acoustic.log_mel(acoustic.magnitudes(wave, ACOUSTIC), ACOUSTIC)


@pytest.fixture(scope="module")
def wave(request):
    return read_audio(fetch_speech(request.config.cache.mkdir("downloads")), end=4.0, sample_rate=ACOUSTIC.sample_rate)


@pytest.fixture(scope="module")
def spoken(wave):
    mel = log_mel(wave)
    return mel, GriffinLim(ACOUSTIC).waveform(mel)


def test_waveform_has_the_spectrogram(spoken):
    mel, made = spoken
    assert made.dtype == torch.float32 and made.shape == (len(mel) * ACOUSTIC.hop_size,)
    loud = mel > mel.max() - 7  # 60 dB
    assert (log_mel(made) - mel)[loud].abs().mean() < 0.2  # less than 2 dB
    wrong = GriffinLim(ACOUSTIC).waveform(mel.flip(0))
    assert (log_mel(wrong) - mel)[loud].abs().mean() > 1


def test_waveform_is_not_shifted(wave, spoken):
    """The lag with the highest correlation of the envelopes is below 1 ms; half a hop is 5.8 ms."""
    made = spoken[1].numpy()
    smooth = butter(2, 30, fs=ACOUSTIC.sample_rate)
    envelopes = [filtfilt(*smooth, np.abs(samples)) for samples in (wave[: len(made)].numpy(), made)]
    spectra = [np.fft.rfft(envelope - envelope.mean(), 2 * len(made)) for envelope in envelopes]
    alike = np.fft.irfft(spectra[0].conj() * spectra[1])
    lag = np.fft.fftfreq(len(alike), 1 / len(alike))[alike.argmax()]
    assert abs(lag) < 0.001 * ACOUSTIC.sample_rate


def test_calls_are_equal_and_keep_the_random_state(spoken):
    mel, made = spoken
    torch.manual_seed(7)
    before = torch.get_rng_state()
    assert torch.equal(GriffinLim(ACOUSTIC).waveform(mel), made)
    assert torch.equal(torch.get_rng_state(), before)


def test_magnitudes_have_the_mel_spectrogram(wave):
    vocoder, mel = GriffinLim(ACOUSTIC), log_mel(wave).exp()
    found = vocoder.magnitudes(mel)
    assert found.min() >= 0
    assert ((found @ vocoder.filters) - mel).abs().sum() < 0.01 * mel.sum()


@pytest.mark.parametrize("frames", [1, 2])
def test_shortest_spectrograms(frames):
    made = GriffinLim(ACOUSTIC).waveform(torch.full((frames, ACOUSTIC.mels), -4.0))
    assert made.shape == (frames * ACOUSTIC.hop_size,) and made.isfinite().all()
