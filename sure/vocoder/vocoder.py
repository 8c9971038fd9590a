"""The interface of vocoders, and the vocoder for decode.vocoder."""

import re
from pathlib import Path
from typing import Protocol

import torch

from sure.data.synthesis.acoustic import AcousticConfig
from sure.errors import SureError
from sure.files import sha256_of_file
from sure.vocoder.griffin_lim import GriffinLim
from sure.vocoder.hifigan import HifiGan

GRIFFIN_LIM = "griffin_lim"


class Vocoder(Protocol):
    sample_rate: int

    def waveform(self, mel: torch.Tensor) -> torch.Tensor:
        """(frames, mels) natural logs of the mel magnitude spectrogram -> (frames * hop_size,) float32 on the CPU."""


def vocoder_suffix(name: str) -> str:
    """Suffix of decoding folders: empty for Griffin-Lim, otherwise `_<file name>_<first digits of its sha256>`."""
    if name == GRIFFIN_LIM or not Path(name).is_file():
        return ""
    stem = re.sub(r"[^A-Za-z0-9.-]", "-", Path(name).stem)
    return f"_{stem}_{sha256_of_file(Path(name))[:8]}"


def make_vocoder(name: str, acoustic: AcousticConfig, device: str | torch.device = "cpu") -> Vocoder:
    """name: `griffin_lim` or the path of a HiFi-GAN generator. Raises SureError for anything else."""
    if name == GRIFFIN_LIM:
        return GriffinLim(acoustic)
    path = Path(name)
    if path.is_dir():
        raise SureError(
            f"decode.vocoder={path} is a folder; pass the checkpoint of the generator in it, such as {path}/g_02500000"
        )
    if not path.is_file():
        raise SureError(
            f"decode.vocoder={name}: neither {GRIFFIN_LIM} nor a file; pass a checkpoint of a HiFi-GAN generator"
        )
    return HifiGan(path, acoustic, device)
