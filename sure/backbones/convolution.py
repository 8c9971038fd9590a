"""Convolutional front ends from waveform or spectrogram to frames, without influence of padding."""

from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn

from sure.backbones.base import Site, Slot
from sure.frames import Frames

Count = TypeVar("Count", Tensor, int)


def gradients(*tensors: Tensor) -> bool:
    """Whether gradients flow to one of the tensors. In an export too, operations in place are not used."""
    return torch.compiler.is_exporting() or torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


class GroupNorm(nn.GroupNorm):
    """Group normalisation with statistics over valid frames, so that a result does not depend on the batch.

    mode: `masked`; or `as_trained`, with statistics over padding too, as in the original models.
    """

    def __init__(self, groups: int, channels: int, eps: float = 1e-5, mode: str = "masked"):
        super().__init__(groups, channels, eps)
        self.mode = mode

    def forward(self, input: Tensor, frames: Frames) -> Tensor:
        """input (batch, channels, time) -> the same shape; without gradients, in the memory of the input"""
        if self.mode == "as_trained" or frames.full:
            return super().forward(input)
        grouped = input.unflatten(1, (self.num_groups, -1))
        if torch.compiler.is_exporting():
            return self._normalise_batch(grouped, frames).flatten(1, 2)
        rows = zip(grouped, frames.lengths.tolist(), strict=True)  # one by one: no copy of the model's largest tensor
        if gradients(input, self.weight):
            return torch.stack([self._normalise(row, length) for row, length in rows]).flatten(1, 2).to(input.dtype)
        for row, length in rows:
            row.copy_(self._normalise(row, length))
        return input

    def _normalise_batch(self, grouped: Tensor, frames: Frames) -> Tensor:
        """grouped (batch, groups, channels, time) -> the same; all utterances at once, for graphs of any batch."""
        count = frames.lengths.clamp(min=1).view(-1, 1, 1, 1) * grouped.shape[2]
        mean = frames.fill(grouped, dim=3).sum((2, 3), keepdim=True) / count
        centred = grouped - mean
        variance = frames.fill(centred, dim=3).square().sum((2, 3), keepdim=True) / count
        weight, bias = (each.view(self.num_groups, -1, 1) for each in (self.weight, self.bias))
        return centred * torch.rsqrt(variance + self.eps) * weight + bias

    def _normalise(self, utterance: Tensor, length: int) -> Tensor:
        """utterance (groups, channels, time) -> the same in float32, normalised by its first `length` frames."""
        utterance = utterance.float()
        valid = utterance[:, :, : max(length, 1)]
        mean = valid.mean(dim=(1, 2), keepdim=True)
        variance = (valid - mean).square().mean(dim=(1, 2), keepdim=True)  # faster than torch.var_mean on a CPU
        scale = self.weight.view(self.num_groups, -1, 1) * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias.view(self.num_groups, -1, 1) - mean * scale, utterance, scale)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each frame."""

    def forward(self, input: Tensor, frames: Frames) -> Tensor:
        """input (batch, channels, time) -> the same shape"""
        return super().forward(input.transpose(1, 2)).transpose(1, 2)


def convolve(convolution: nn.Conv1d, input: Tensor) -> Tensor:
    """The convolution of input (batch, channels_in, time_in), of one group: (batch, channels_out, time).

    Without gradients, on the CPU, it is a matrix product of each utterance, over windows of frames: PyTorch's
    convolutions spend up to half of their time, in bfloat16 most of it, on changes of the memory layout.
    """
    if gradients(input, convolution.weight) or input.device.type != "cpu":
        return convolution(input)
    (kernel,), (stride,), (padding,) = convolution.kernel_size, convolution.stride, convolution.padding
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
    weight = convolution.weight.to(dtype).transpose(1, 2).flatten(1).t()  # (kernel * channels_in, channels_out)
    frames = nn.functional.pad(input.to(dtype), (padding, padding)).transpose(1, 2)
    windows = frames.unfold(1, kernel, stride).transpose(2, 3)  # (batch, time, kernel, channels_in), without a copy
    output = windows.new_empty(*windows.shape[:2], convolution.out_channels)
    for one, row in zip(windows, output, strict=True):
        if convolution.bias is None:
            torch.mm(one.flatten(1), weight, out=row)
        else:
            torch.addmm(convolution.bias.to(dtype), one.flatten(1), weight, out=row)
    return output.transpose(1, 2)


class ConvolutionBlock(nn.Module):
    """Convolution, norm, GELU; with `tanh_first` a tanh before the norm instead of the GELU.

    `compute` is the block without its slot, so that a copy of the block can be put into the slot.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int,
        bias: bool,
        norm: nn.Module | None = None,
        tanh_first: bool = False,
        padding: int = 0,  # zeros at both ends of an utterance
    ):
        super().__init__()
        self.convolution = nn.Conv1d(channels_in, channels_out, kernel, stride, padding, bias=bias)
        self.norm = norm
        self.tanh_first = tanh_first
        self.slot = Slot()

    def frame_count(self, frames: Count) -> Count:
        """Number of input frames, (batch,) or an int -> number of output frames, at least 0."""
        (kernel,), (stride,) = self.convolution.kernel_size, self.convolution.stride
        count = (frames + 2 * self.convolution.padding[0] - kernel) // stride + 1
        return count.clamp(min=0) if isinstance(count, Tensor) else max(count, 0)

    def compute(self, input: Tensor, frames: Frames) -> Tensor:
        """input (batch, channels_in, time_in) -> (batch, channels_out, time). frames: of the output."""
        output = convolve(self.convolution, input)
        if self.tanh_first:
            output = torch.tanh(output)
        if self.norm is not None:
            output = self.norm(output, frames)
        if self.tanh_first:
            return output
        return nn.functional.gelu(output) if gradients(output) else torch.ops.aten.gelu_(output)

    def forward(self, input: Tensor, frames: Frames) -> Tensor:
        output = self.compute(input, frames)
        if self.slot.attached:
            output = self.slot(input.transpose(1, 2), output.transpose(1, 2), frames).transpose(1, 2)
        return output


class ConvolutionStack(nn.Module):
    """A sequence of convolution blocks from a waveform or spectrogram to frames."""

    def __init__(self, *blocks: ConvolutionBlock):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.minimum = 1  # number of samples that give one frame
        for convolution in (block.convolution for block in reversed(blocks)):
            (kernel,), (stride,), (padding,) = convolution.kernel_size, convolution.stride, convolution.padding
            self.minimum = (self.minimum - 1) * stride + kernel - 2 * padding

    def frame_count(self, samples: Tensor) -> Tensor:
        """Number of samples (batch,) -> number of frames (batch,), at least 0."""
        for block in self.blocks:
            samples = block.frame_count(samples)
        return samples

    def forward(self, input: Tensor, lengths: Tensor) -> Tensor:
        """input (batch, channels, samples) -> (batch, time, channels), at least one frame.

        lengths: samples of each utterance (batch,), on the CPU.
        """
        short = self.minimum - input.shape[2]
        hidden = nn.functional.pad(input, (0, short)) if short > 0 else input
        frames = Frames(lengths, hidden.shape[2])
        for block in self.blocks:
            if block.convolution.padding[0]:  # beyond the end of an utterance, the convolution reads zeros
                hidden = frames.fill(hidden, dim=2)
            frames = frames.after(block.frame_count)
            hidden = block(hidden, frames)
        return hidden.transpose(1, 2)

    def sites(self) -> Iterator[Site]:
        for index, block in enumerate(self.blocks):
            convolution = block.convolution
            widths = convolution.in_channels, convolution.out_channels
            yield Site(f"conv.{index}", "convolution", *widths, None, block, block.slot)
