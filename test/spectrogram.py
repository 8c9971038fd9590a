"""The log-mel features of synthesis, computed with librosa's filters."""

import librosa
import torch
import torch.nn.functional as F

from sure.data.synthesis.acoustic import AcousticConfig

ACOUSTIC = AcousticConfig()


def log_mel(wave, acoustic=ACOUSTIC):
    """(samples,) -> (samples // hop_size, mels)."""
    size, hop, window = acoustic.fft_size, acoustic.hop_size, torch.hann_window(acoustic.window_size)
    padded = F.pad(wave[None, None], ((size - hop) // 2,) * 2, mode="reflect")[0, 0]
    spectrum = torch.stft(padded, size, hop, acoustic.window_size, window, center=False, return_complex=True)
    low, high = acoustic.mel_low_hz, acoustic.mel_high_hz
    filters = librosa.filters.mel(sr=acoustic.sample_rate, n_fft=size, n_mels=acoustic.mels, fmin=low, fmax=high)
    return (torch.from_numpy(filters) @ spectrum.abs()).clamp(min=1e-5).log().T
