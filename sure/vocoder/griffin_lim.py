"""Griffin-Lim: iterative estimation of the phases of a magnitude spectrogram; needs no training and no download.

Griffin and Lim, IEEE TASSP 1984, in the fast version of Perraudin et al., WASPAA 2013, from torchaudio.
"""

import torch
import torch.nn.functional as F
import torchaudio

from sure.data.synthesis.acoustic import AcousticConfig, mel_filters

ITERATIONS = 60
LEAST_SQUARES_STEPS = 50  # more steps hardly reduce the distance of the mel spectrogram
SMALLEST = 1e-8


class GriffinLim:
    """The default vocoder. Its output is deterministic."""

    def __init__(self, acoustic: AcousticConfig):
        self.acoustic = acoustic
        self.sample_rate = acoustic.sample_rate
        self.window = torch.hann_window(acoustic.window_size)
        self.filters = mel_filters(acoustic)  # (bins, mels)
        self.inverse = torch.linalg.pinv(self.filters)

    def waveform(self, mel: torch.Tensor) -> torch.Tensor:
        """(frames, mels) natural logs of the mel magnitude spectrogram -> (frames * hop_size,) float32."""
        fft_size, hop_size = self.acoustic.fft_size, self.acoustic.hop_size
        magnitudes = self.magnitudes(torch.as_tensor(mel).detach().float().cpu().exp()).T
        # Our frames are centred in the middle of a hop, those of torch at its start: add a frame on both sides and cut
        # off half a hop. Some more frames at the end, as torch needs more than half a window.
        after = 1 + fft_size // (2 * hop_size)
        magnitudes = F.pad(magnitudes[None], (1, after), mode="replicate")[0]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the initial phases are random
            wave = torchaudio.functional.griffinlim(
                magnitudes,
                self.window,
                fft_size,
                hop_size,
                self.acoustic.window_size,
                power=1.0,
                n_iter=ITERATIONS,
                momentum=0.99,
                length=(len(mel) + after) * hop_size,
                rand_init=True,
            )
        return wave[hop_size // 2 :][: len(mel) * hop_size].clamp(-1.0, 1.0)

    def magnitudes(self, mel: torch.Tensor) -> torch.Tensor:
        """(frames, mels) -> nonnegative magnitudes (frames, bins) with this mel spectrogram.

        Least squares by multiplicative updates (Lee and Seung, NIPS 2000), starting from the pseudoinverse.
        """
        found = (mel @ self.inverse).clamp(min=SMALLEST)
        wanted = mel @ self.filters.T
        squared = self.filters @ self.filters.T
        for _ in range(LEAST_SQUARES_STEPS):
            found = found * wanted / (found @ squared).clamp(min=SMALLEST)
        return found
