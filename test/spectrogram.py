"""What the features of synthesis are, written down a second time with librosa's filters."""

import librosa
import torch
import torch.nn.functional as F

from sure.data.synthesis.acoustic import AcousticConfig

ACOUSTIC = AcousticConfig()


def log_mel(wave, acoustic=ACOUSTIC):
    """(samples,) -> (samples // hop_size, mels)."""
    side = (acoustic.fft_size - acoustic.hop_size) // 2
    padded = F.pad(wave[None, None], (side, side), mode="reflect")[0, 0]
    window = torch.hann_window(acoustic.window_size)
    spectrum = torch.stft(
        padded, acoustic.fft_size, acoustic.hop_size, acoustic.window_size, window, center=False, return_complex=True
    )
    filters = librosa.filters.mel(
        sr=acoustic.sample_rate,
        n_fft=acoustic.fft_size,
        n_mels=acoustic.mels,
        fmin=acoustic.mel_low_hz,
        fmax=acoustic.mel_high_hz,
    )
    return (torch.from_numpy(filters) @ spectrum.abs()).clamp(min=1e-5).log().T
