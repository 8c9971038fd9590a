"""What a vocoder is, and the one that a configuration names."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Protocol

import torch

from sure.data.synthesis.acoustic import AcousticConfig
from sure.errors import SureError
from sure.vocoder.griffin_lim import GriffinLim
from sure.vocoder.hifigan import HifiGan

GRIFFIN_LIM = "griffin_lim"


class Vocoder(Protocol):
    sample_rate: int

    def waveform(self, mel: torch.Tensor) -> torch.Tensor:
        """(frames, mels) natural logs of the mel magnitude spectrogram -> (frames * hop_size,) float32 on the CPU."""


def vocoder_suffix(name: str) -> str:
    """Of folders that hold one vocoder's speech: nothing for Griffin-Lim, `_<file>_<part of its sha256>` of others."""
    if name == GRIFFIN_LIM or not Path(name).is_file():
        return ""
    stem = re.sub(r"[^A-Za-z0-9.-]", "-", Path(name).stem)
    return f"_{stem}_{hashlib.sha256(Path(name).read_bytes()).hexdigest()[:8]}"


def make_vocoder(name: str, acoustic: AcousticConfig, device: str | torch.device = "cpu") -> Vocoder:
    """`griffin_lim`, or the path of a HiFi-GAN generator's checkpoint. Raises SureError for anything else."""
    if name == GRIFFIN_LIM:
        return GriffinLim(acoustic)
    path = Path(name)
    if path.is_dir():
        raise SureError(
            f"vocoder {path}: is a folder; name the generator's checkpoint in it, such as {path}/g_02500000"
        )
    if not path.is_file():
        raise SureError(f"vocoder {name}: neither {GRIFFIN_LIM} nor a file; a HiFi-GAN generator's checkpoint is one")
    return HifiGan(path, acoustic, device)
