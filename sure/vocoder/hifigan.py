"""HiFi-GAN's generator (Kong, Kim and Bae, NeurIPS 2020, arXiv 2010.05646), from checkpoints as its authors publish.

A checkpoint is a torch file `{"generator": tensors}` with `config.json` beside it. Weight norm, which only training
needs, is folded into the weights when they are loaded.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from sure.data.synthesis.acoustic import AcousticConfig
from sure.errors import SureError
from sure.parsing import parse_json

SLOPE = 0.1
LAST_SLOPE = 0.01  # the default of torch, which the published network has before its last convolution
WEIGHT_NORM = (  # gain and direction: of torch.nn.utils.weight_norm, and of its parametrization
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)
MEL_SETTINGS = {  # in config.json -> in our configuration
    "sampling_rate": "sample_rate",
    "n_fft": "fft_size",
    "hop_size": "hop_size",
    "win_size": "window_size",
    "num_mels": "mels",
    "fmin": "mel_low_hz",
    "fmax": "mel_high_hz",
}


class Shape(BaseModel):
    """The keys of config.json that say what the network is; the others are about training or the spectrogram."""

    num_mels: int
    resblock: Literal["1", "2"]
    upsample_rates: list[int]
    upsample_kernel_sizes: list[int]
    upsample_initial_channel: int
    resblock_kernel_sizes: list[int]
    resblock_dilation_sizes: list[list[int]]


class ResidualBlock(nn.Module):
    """Dilated convolutions, each with a residual around it; kind 1 has a second one behind each of them."""

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
    """(batch, mels, frames) -> (batch, samples). Its tensors have the published names."""

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
    """The vocoder of a published checkpoint."""

    def __init__(self, checkpoint: Path, acoustic: AcousticConfig, device: str | torch.device = "cpu"):
        """Raises SureError naming the file or key when it is no such checkpoint, or one of another spectrogram."""
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
    """The shape that `config.json` beside the checkpoint says, checked against our spectrogram."""
    path = checkpoint.parent / "config.json"
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SureError(f"{path}: no such file; HiFi-GAN's config.json has to lie beside {checkpoint.name}") from None
    except (OSError, ValueError) as error:
        raise SureError(f"{path}: cannot be read as JSON ({error}); take the one that was published with it") from None
    if not isinstance(values, dict):
        raise SureError(f"{path}: expected keys and values, as HiFi-GAN's config.json has them")
    for theirs, ours in MEL_SETTINGS.items():
        wanted = getattr(acoustic, ours)
        if values.get(theirs) != wanted:
            raise SureError(
                f"{path}: {theirs} is {values.get(theirs, 'not there')}, but acoustic.{ours} is {wanted}: this vocoder "
                f"is for another spectrogram; take another one, or make the features (stage 2) as it wants them"
            )
    try:
        shape = Shape.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise SureError(f"{path}: key '{'.'.join(map(str, first['loc']))}': {first['msg']}") from None
    _check_shape(path, shape, acoustic.hop_size)
    return shape


def load(generator: Generator, checkpoint: Path) -> None:
    """The tensors of a checkpoint, weight norm folded. Raises SureError for what is missing, too much or misshapen."""
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SureError(f"{checkpoint}: cannot be read as a torch checkpoint of tensors alone ({reason})") from None
    tensors: Any = content.get("generator") if isinstance(content, dict) else None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        found = f"its keys are {', '.join(map(str, list(content)[:5]))}" if isinstance(content, dict) else "it has none"
        raise SureError(f"{checkpoint}: no tensors under 'generator' ({found}); expected HiFi-GAN's generator, g_...")
    folded = fold_weight_norm(tensors)
    wanted = generator.state_dict()
    for name, tensor in wanted.items():
        if name not in folded:
            raise SureError(f"{checkpoint}: the tensor '{name}' is missing, which config.json beside it asks for")
        if folded[name].shape != tensor.shape:
            raise SureError(
                f"{checkpoint}: '{name}' is {tuple(folded[name].shape)}, but config.json beside it makes it "
                f"{tuple(tensor.shape)}"
            )
    if more := sorted(set(folded) - set(wanted)):
        raise SureError(f"{checkpoint}: '{more[0]}' ({len(more)} such tensors) is not in what config.json describes")
    generator.load_state_dict(folded)


def fold_weight_norm(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """gain * direction / |direction|, norms over all but the first dimension; what has no weight norm as it is."""
    folded = {}
    for name, tensor in tensors.items():
        for gain, direction in WEIGHT_NORM:
            if name.endswith(direction) and (beside := name.removesuffix(direction) + gain) in tensors:
                norm = torch.linalg.vector_norm(tensor, dim=tuple(range(1, tensor.ndim)), keepdim=True)
                folded[name.removesuffix(direction) + ".weight"] = tensors[beside] * tensor / norm
                break
            if name.endswith(gain) and name.removesuffix(gain) + direction in tensors:
                break
        else:
            folded[name] = tensor
    return folded


def _check_shape(path: Path, shape: Shape, hop_size: int) -> None:
    """What would otherwise fail far from its cause."""
    product = 1
    for rate in shape.upsample_rates:
        product *= rate
    if product != hop_size:
        raise SureError(f"{path}: upsample_rates multiply to {product} samples a frame, hop_size is {hop_size}")
    if len(shape.upsample_kernel_sizes) != len(shape.upsample_rates):
        raise SureError(f"{path}: upsample_rates and upsample_kernel_sizes have to be equally many")
    if len(shape.resblock_kernel_sizes) != len(shape.resblock_dilation_sizes):
        raise SureError(f"{path}: resblock_kernel_sizes and resblock_dilation_sizes have to be equally many")


def _convolution(channels: int, kernel: int, dilation: int = 1, channels_in: int | None = None) -> nn.Conv1d:
    """As long behind it as before."""
    return nn.Conv1d(channels_in or channels, channels, kernel, padding=(kernel - 1) * dilation // 2, dilation=dilation)
