"""The generator of HiFi-GAN (Kong, Kim and Bae, NeurIPS 2020, arXiv 2010.05646), from checkpoints of its authors.

A checkpoint is a torch file `{"generator": tensors}` next to a `config.json`. Weight norm, which only training needs,
is folded into the weights on loading.
"""

import math
import pickle
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from sure.backbones.tensor_checks import check_tensors
from sure.data.synthesis.acoustic import AcousticConfig
from sure.errors import SureError, some_of
from sure.parsing import read_json

SLOPE = 0.1
LAST_SLOPE = 0.01  # the default of torch, in the published network before the last convolution
WEIGHT_NORM = (  # suffixes of gain and direction, of torch.nn.utils.weight_norm and of its parametrization
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)
MEL_SETTINGS = {  # key in config.json -> field of AcousticConfig
    "sampling_rate": "sample_rate",
    "n_fft": "fft_size",
    "hop_size": "hop_size",
    "win_size": "window_size",
    "num_mels": "mels",
    "fmin": "mel_low_hz",
    "fmax": "mel_high_hz",
}


class Shape(BaseModel):
    """The keys of config.json that define the network; the others are about training and the spectrogram."""

    num_mels: int
    resblock: Literal["1", "2"]
    upsample_rates: list[int]
    upsample_kernel_sizes: list[int]
    upsample_initial_channel: int
    resblock_kernel_sizes: list[int]
    resblock_dilation_sizes: list[list[int]]


class ResidualBlock(nn.Module):
    """Dilated convolutions, each with a residual sum; in kind 1, a second convolution follows each of them."""

    def __init__(self, kind: str, channels: int, kernel: int, dilations: list[int]):
        super().__init__()
        first = nn.ModuleList(_convolution(channels, kernel, dilation) for dilation in dilations)
        if kind == "1":
            self.convs1 = first
            self.convs2 = nn.ModuleList(_convolution(channels, kernel) for _ in dilations)
        else:
            self.convs = first

    def forward(self, hidden: Tensor) -> Tensor:
        steps = zip(self.convs1, self.convs2, strict=True) if hasattr(self, "convs1") else ((c,) for c in self.convs)
        for convolutions in steps:
            inside = hidden
            for convolution in convolutions:
                inside = convolution(F.leaky_relu(inside, SLOPE))
            hidden = hidden + inside
        return hidden


class Generator(nn.Module):
    """(batch, mels, frames) -> (batch, samples). Tensor names are as published."""

    def __init__(self, shape: Shape):
        super().__init__()
        channels = shape.upsample_initial_channel
        self.conv_pre = _convolution(channels, 7, channels_in=shape.num_mels)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(shape.upsample_rates, shape.upsample_kernel_sizes, strict=True):
            padding = (kernel - rate) // 2
            self.ups.append(nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding))
            channels //= 2
            for size, dilations in zip(shape.resblock_kernel_sizes, shape.resblock_dilation_sizes, strict=True):
                self.resblocks.append(ResidualBlock(shape.resblock, channels, size, dilations))
        self.conv_post = _convolution(1, 7, channels_in=channels)

    def forward(self, mel: Tensor) -> Tensor:
        hidden = self.conv_pre(mel)
        kinds = len(self.resblocks) // len(self.ups)
        for index, upsample in enumerate(self.ups):
            hidden = upsample(F.leaky_relu(hidden, SLOPE))
            blocks = self.resblocks[index * kinds : (index + 1) * kinds]
            hidden = sum(block(hidden) for block in blocks) / kinds
        return torch.tanh(self.conv_post(F.leaky_relu(hidden, LAST_SLOPE)))[:, 0]


class HifiGan:
    """A vocoder with the weights of a published checkpoint."""

    def __init__(self, checkpoint: Path, acoustic: AcousticConfig, device: str | torch.device = "cpu"):
        """Raises SureError if the checkpoint is invalid or was trained on another kind of spectrogram."""
        shape = read_config(checkpoint, acoustic)
        self.sample_rate, self.hop_size = acoustic.sample_rate, acoustic.hop_size
        self.device = torch.device(device)
        self.generator = Generator(shape)
        load(self.generator, checkpoint)
        self.generator.eval().requires_grad_(False).to(self.device)

    def waveform(self, mel: Tensor) -> Tensor:
        """(frames, mels) natural logs of the mel magnitude spectrogram -> (frames * hop_size,) float32."""
        with torch.inference_mode():
            wave = self.generator(torch.as_tensor(mel).float().to(self.device).T[None])[0]
        return wave[: len(mel) * self.hop_size].cpu()


def read_config(checkpoint: Path, acoustic: AcousticConfig) -> Shape:
    """The shape in the `config.json` next to the checkpoint, checked against our feature settings."""
    path = checkpoint.parent / "config.json"
    values = read_json(path, f"put the config.json that was published with {checkpoint.name} next to it")
    for theirs, ours in MEL_SETTINGS.items():
        wanted = getattr(acoustic, ours)
        if values.get(theirs) != wanted:
            raise SureError(
                f"{path}: {theirs} is {values.get(theirs, 'missing')}, but acoustic.{ours} is {wanted}; "
                "choose a vocoder for this spectrogram, or compute the features (stage 2) with its settings"
            )
    try:
        shape = Shape.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise SureError(f"{path}: key '{'.'.join(map(str, first['loc']))}': {first['msg']}") from None
    product, hop_size = math.prod(shape.upsample_rates), acoustic.hop_size
    if product != hop_size:
        raise SureError(f"{path}: the product of upsample_rates is {product} samples per frame, hop_size is {hop_size}")
    pairs = (("upsample_rates", "upsample_kernel_sizes"), ("resblock_kernel_sizes", "resblock_dilation_sizes"))
    for one, other in pairs:
        if len(getattr(shape, one)) != len(getattr(shape, other)):
            raise SureError(f"{path}: {one} and {other} must have the same length")
    return shape


def load(generator: Generator, checkpoint: Path) -> None:
    """Load a checkpoint into the generator. Raises SureError for missing, unexpected or differently shaped tensors."""
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SureError(f"{checkpoint}: cannot be read as a file of tensors ({reason}); download it again") from None
    tensors: Any = content.get("generator") if isinstance(content, dict) else None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        found = f"keys: {some_of(list(map(str, content)))}" if isinstance(content, dict) else "no keys"
        raise SureError(f"{checkpoint}: no tensors under 'generator' ({found}); pass a generator of HiFi-GAN, g_...")
    folded = fold_weight_norm(tensors)
    check_tensors(folded, generator.state_dict(), str(checkpoint), "take it and config.json from one publication")
    generator.load_state_dict(folded)


def fold_weight_norm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """gain * direction / |direction|, norms over all dimensions but the first; other tensors unchanged."""
    folded = dict(tensors)
    for gain, direction in WEIGHT_NORM:
        for stem in [name.removesuffix(direction) for name in tensors if name.endswith(direction)]:
            if stem + gain in tensors:
                size, vectors = folded.pop(stem + gain), folded.pop(stem + direction)
                norms = torch.linalg.vector_norm(vectors, dim=tuple(range(1, vectors.ndim)), keepdim=True)
                folded[f"{stem}.weight"] = size * vectors / norms
    return folded


def _convolution(channels: int, kernel: int, dilation: int = 1, channels_in: int | None = None) -> nn.Conv1d:
    """A convolution that keeps the length."""
    return nn.Conv1d(channels_in or channels, channels, kernel, padding=(kernel - 1) * dilation // 2, dilation=dilation)
