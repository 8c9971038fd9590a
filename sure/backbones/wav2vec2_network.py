"""The network of wav2vec 2.0, HuBERT, WavLM and data2vec: convolutions, projection, positions, layers."""

import torch
from torch import Tensor, nn

from sure.backbones.convolution import ChannelNorm, ConvolutionBlock, ConvolutionStack, GroupNorm
from sure.backbones.huggingface_wav2vec2 import Wav2Vec2Weights
from sure.backbones.layers import Attention, Layer, LayerNorm
from sure.backbones.positions import BiasGate, DistanceBias
from sure.backbones.wav2vec2_shapes import Shape
from sure.frames import Frames


class PositionConvolution(nn.Module):
    """Positions by a wide grouped convolution with weight norm: a length for each kernel tap times a direction."""

    def __init__(self, dim: int, kernel: int, groups: int):
        super().__init__()
        self.length = nn.Parameter(torch.ones(1, 1, kernel))
        self.direction = nn.Parameter(torch.empty(dim, dim // groups, kernel))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.kernel = kernel
        self.groups = groups

    def forward(self, hidden: Tensor, frames: Frames) -> Tensor:
        """hidden (batch, time, dim), zero in the padding -> the same shape"""
        weight = self.direction * (self.length / torch.linalg.vector_norm(self.direction, dim=(0, 1), keepdim=True))
        output = nn.functional.conv1d(
            hidden.transpose(1, 2), weight, self.bias, padding=self.kernel // 2, groups=self.groups
        )
        return nn.functional.gelu(output[:, :, : hidden.shape[1]]).transpose(1, 2)


class ConvolutionalTransformer(Wav2Vec2Weights):
    """wav2vec 2.0 and the models built like it; each family adds its shapes and its names."""

    def __init__(self, shape: Shape, padding: str = "masked"):
        super().__init__()
        self.shape = shape
        self.dim = shape.dim
        self.normalize_waveform = shape.normalize_waveform
        blocks, channels = [], 1
        for width, kernel, stride in shape.convolutions:
            norm = ChannelNorm(width) if shape.norm == "layer" else None
            if shape.norm == "group" and not blocks:
                norm = GroupNorm(width, width, mode=padding)
            blocks.append(ConvolutionBlock(channels, width, kernel, stride, shape.convolution_bias, norm))
            channels = width
        self.convolutions = ConvolutionStack(*blocks)
        self.projection_norm = nn.LayerNorm(channels, shape.eps) if shape.projection_norm else nn.Identity()
        self.projection = nn.Linear(channels, shape.dim)
        # In place of masked frames in pretraining; kept so that the number of parameters is as published.
        self.mask_embedding = nn.Parameter(torch.zeros(shape.dim))
        self.position = self.positions(padding)
        self.distance_bias = DistanceBias(shape.heads, shape.buckets, shape.max_distance) if shape.buckets else None
        self.norm = LayerNorm(shape.dim, shape.eps)
        self.layers = nn.ModuleList(self._layer() for _ in range(shape.layers))

    def positions(self, padding: str) -> nn.Module:
        """A module from hidden (batch, time, dim), zero in the padding, and frames to positions of the same shape."""
        return PositionConvolution(self.shape.dim, self.shape.position_kernel, self.shape.position_groups)

    def _layer(self) -> Layer:
        shape = self.shape
        gate = BiasGate(shape.dim, shape.heads) if shape.buckets else None
        return Layer(Attention(shape.dim, shape.heads, gate=gate), shape.dim, shape.ffn, shape.norm_first, shape.eps)

    def front(self, waves: Tensor, lengths: Tensor) -> Tensor:
        hidden = self.projection(self.projection_norm(self.convolutions(waves[:, None], lengths)))
        if self.mask_embedding.requires_grad:
            hidden = hidden + 0 * self.mask_embedding  # full fine-tuning: every trained tensor has a gradient
        frames = Frames(self.frame_count(lengths), hidden.shape[1])
        hidden = frames.fill(hidden)
        hidden = hidden + self.position(hidden, frames)
        return hidden if self.shape.norm_first else self.norm(hidden)

    def context(self, hidden: Tensor, frames: Frames) -> dict[str, object]:
        return {} if self.distance_bias is None else {"position_bias": self.distance_bias(hidden.shape[1])}

    def finish(self, hidden: Tensor) -> Tensor:
        return self.norm(hidden) if self.shape.norm_first else hidden
