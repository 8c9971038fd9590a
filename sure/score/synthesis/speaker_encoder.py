"""Independent speaker encoder that scores the voice of synthesised speech: GE2E (Wan et al., arXiv 1710.10467).

Only the weights of the package resemblyzer (Apache-2.0) are used: its dependency for voice detection, which trimmed
speech does not need, requires a C compiler.
"""

import importlib.util
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torchaudio.transforms import MelSpectrogram

from sure.data.audio import SAMPLE_RATE
from sure.errors import SureError

NAME = "GE2E (resemblyzer 0.1.4)"
INSTALL = "pip install --no-deps resemblyzer==0.1.4"
WINDOW = 160  # frames of 10 ms in a window
STEP = 77  # frames between windows: 1.3 a second
COVERAGE = 0.75  # minimum filled share of the last window
LEVEL = 10 ** (-30 / 20)  # RMS level to which quieter speech is amplified


class SpeakerEncoder(nn.Module):
    """Maps waveforms to embeddings of unit length, as resemblyzer does."""

    def __init__(self, weights: str | Path | None = None):
        """weights: file; default: in the installed package. Raises SureError if it is missing or damaged."""
        super().__init__()
        self.mel = MelSpectrogram(
            SAMPLE_RATE, 400, hop_length=160, n_mels=40, norm="slaney", mel_scale="slaney", pad_mode="constant"
        )
        self.lstm = nn.LSTM(40, 256, num_layers=3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        path = Path(weights) if weights else installed_weights()
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
            for part in ("lstm", "linear"):
                names = getattr(self, part).state_dict()
                getattr(self, part).load_state_dict({name: state[f"{part}.{name}"] for name in names})
        except Exception as error:
            raise SureError(f"{path} does not have the weights of {NAME} ({error}); reinstall: {INSTALL}") from None
        self.eval().requires_grad_(False)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        """(samples,) at 16 kHz -> (256,): mean over windows; zeros for silence."""
        level = wave.square().mean().sqrt()
        if not level > 0:
            return torch.zeros(self.linear.out_features)
        wave = wave * max(1.0, float(LEVEL / level))
        starts = _windows(len(wave))
        wave = F.pad(wave, (0, max(0, (starts[-1] + WINDOW) * 160 - len(wave))))
        mel = self.mel(wave).T
        _, (hidden, _) = self.lstm(torch.stack([mel[start : start + WINDOW] for start in starts]))
        each = F.normalize(torch.relu(self.linear(hidden[-1])), dim=1)
        return F.normalize(each.mean(0), dim=0)


@cache
def installed_weights() -> Path:
    """Path of the weights. Raises SureError if the package is not installed."""
    spec = importlib.util.find_spec("resemblyzer")
    if spec is None or not spec.submodule_search_locations:
        raise SureError(f"the independent speaker encoder is not installed: {INSTALL}")
    return Path(spec.submodule_search_locations[0]) / "pretrained.pt"


def _windows(samples: int) -> list[int]:
    """The first frame of each window."""
    frames = -(-(samples + 1) // 160)
    starts = list(range(0, max(1, frames - WINDOW + STEP + 1), STEP))
    filled = (samples - starts[-1] * 160) / (WINDOW * 160)
    return starts[:-1] if filled < COVERAGE and len(starts) > 1 else starts
