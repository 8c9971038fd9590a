"""The transformer layer of all backbones: named linear maps, one attention, and slots where modules sit."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sure.backbones.base import AttentionSlot, Site, Slot
from sure.backbones.positions import Rotary, rotate
from sure.frames import Frames


class Linear(nn.Linear):
    """A linear map with a slot behind it."""

    def __init__(self, width_in: int, width_out: int, bias: bool = True):
        super().__init__(width_in, width_out, bias)
        self.slot = Slot()

    def forward(self, input: Tensor, frames: Frames | None = None) -> Tensor:
        """input (batch, time, width_in) -> (batch, time, width_out)"""
        return self.slot(input, super().forward(input), frames)

    def site(self, name: str, layer: int) -> Site:
        return Site(name, "linear", self.in_features, self.out_features, layer, self, self.slot)


class Convolution(Linear):
    """A convolution over time, `same`, as what it is: a linear map of windows of frames.

    Methods for linear maps fit as they are: the site's input is the windows, (batch, time, width_in * kernel), with
    the frames of each channel side by side, so that the weight is that of a Conv1d. Padding counts as zero.
    """

    def __init__(self, width_in: int, width_out: int, kernel: int):
        super().__init__(width_in * kernel, width_out)
        self.width_in, self.kernel = width_in, kernel  # the kernel is odd

    def forward(self, input: Tensor, frames: Frames | None = None) -> Tensor:
        """input (batch, time, width_in) -> (batch, time, width_out)"""
        if frames is not None:
            input = frames.fill(input)
        channels = nn.functional.pad(input.transpose(1, 2), (self.kernel // 2, self.kernel // 2))
        weight = self.weight.unflatten(1, (self.width_in, self.kernel))
        # laid out as a linear map's, whatever sits in the slot: other kernels would round otherwise
        output = nn.functional.conv1d(channels, weight, self.bias).transpose(1, 2).contiguous()
        if not self.slot.attached:
            return output
        windows = channels.unfold(2, self.kernel, 1).transpose(1, 2).flatten(2)
        return self.slot(windows, output, frames)


class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the last dimension, with a slot behind it."""

    def __init__(self, width: int, eps: float = 1e-5, bias: bool = True):
        super().__init__(width, eps=eps, bias=bias)
        self.slot = Slot()

    def forward(self, input: Tensor, frames: Frames | None = None) -> Tensor:
        """input (batch, time, width) -> the same shape"""
        return self.slot(input, super().forward(input), frames)

    def site(self, name: str, layer: int) -> Site:
        width = self.normalized_shape[0]
        return Site(name, "norm", width, width, layer, self, self.slot)


def linear(width_in: int, width_out: int, kernel: int = 1) -> Linear:
    """A map of frames, or of windows of `kernel` frames."""
    return Linear(width_in, width_out) if kernel == 1 else Convolution(width_in, width_out, kernel)


def regularise(output: Tensor, rate: float, host: nn.Module) -> Tensor:
    """Dropout of what `host` made, in training and where its weight trains: what is frozen stays what it is."""
    return nn.functional.dropout(output, rate) if rate and host.training and host.weight.requires_grad else output


class Attention(nn.Module):
    """Multi-head self-attention with four named maps and a place for a prefix.

    key_bias: of the map to keys; as `bias` by default. Whisper has none there.
    gate: makes a factor (batch, heads, time, 1) for the position bias from the input; WavLM has one.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        bias: bool = True,
        gate: nn.Module | None = None,
        key_bias: bool | None = None,
    ):
        super().__init__()
        self.heads = heads
        self.q = Linear(dim, dim, bias)
        self.k = Linear(dim, dim, bias if key_bias is None else key_bias)
        self.v = Linear(dim, dim, bias)
        self.out = Linear(dim, dim, bias)
        self.gate = gate
        self.slot = AttentionSlot()

    def forward(
        self,
        hidden: Tensor,
        frames: Frames,
        position_bias: Tensor | None = None,
        rotary: Rotary | None = None,
    ) -> Tensor:
        """hidden (batch, time, dim) -> (batch, time, dim)

        position_bias: (heads, time, time), added to the scores after the gate.
        rotary: turns queries and keys by their position.
        """
        if self.gate is not None and position_bias is not None:
            position_bias = self.gate(hidden) * position_bias
        bias = score_bias(frames, hidden.device, position_bias)

        def attend(queries: Tensor, keys: Tensor, values: Tensor, masked: bool = True) -> Tensor:
            """What AttentionSlot promises; keys beyond the input's time are a prefix and have no position."""
            prefix = keys.shape[1] - hidden.shape[1] if masked else keys.shape[1]
            queries, keys, values = map(self._split, (queries, keys, values))
            if rotary is not None:
                queries = rotate(queries, rotary)
                keys = rotate(keys, rotary, prefix)
            scores = _prepend(bias, prefix, queries.dtype) if masked else None
            context = nn.functional.scaled_dot_product_attention(queries, keys, values, scores)
            return context.transpose(1, 2).flatten(2)

        context = self.slot(self.q(hidden, frames), self.k(hidden, frames), self.v(hidden, frames), attend)
        return self.out(context, frames)

    def _split(self, tensor: Tensor) -> Tensor:
        """(batch, time, dim) -> (batch, heads, time, dim / heads)"""
        return tensor.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def sites(self, prefix: str, layer: int) -> Iterator[Site]:
        for name in ("q", "k", "v", "out"):
            yield getattr(self, name).site(f"{prefix}.{name}", layer)
        yield Site(prefix, "attention", self.q.in_features, self.out.out_features, layer, self, self.slot)


def score_bias(frames: Frames, device: torch.device, position_bias: Tensor | None) -> Tensor | None:
    """What is added to the scores, or True for the keys that may be seen; None where there is nothing to say.

    The first key may always be seen: it is padding only where an utterance has no frame, which gives 0 / 0.
    position_bias ([batch,] heads, time, time)
    """
    if frames.full:
        return position_bias
    seen = frames.mask(device).clone()
    seen[:, 0] = True
    seen = seen[:, None, None, :]
    return seen if position_bias is None else position_bias.masked_fill(~seen, float("-inf"))


def _prepend(bias: Tensor | None, prefix: int, dtype: torch.dtype) -> Tensor | None:
    """Room for `prefix` keys in front, all seen and without bias; floats in the queries' dtype."""
    if bias is None:
        return None
    if bias.dtype == torch.bool:
        return nn.functional.pad(bias, (prefix, 0), value=True) if prefix else bias
    bias = bias.to(dtype)
    return nn.functional.pad(bias, (prefix, 0)) if prefix else bias


class Layer(nn.Module):
    """Attention and feed-forward, each with a residual sum and a norm before (`norm_first`) or after it.

    The slots `after_attn` and `after_ffn` get what the sublayer received and the residual stream behind it:
    behind the sum with `norm_first`, otherwise behind the norm. `after_activation` gets the FFN's hidden units
    before the activation and behind it, `beside_ffn` what the FFN received and made, before the sum.

    kernels: of the FFN's two maps, in frames. dropout: behind each sublayer, where its weights train (`regularise`);
    no layer drop.
    """

    def __init__(
        self,
        attention: Attention,
        dim: int,
        ffn_width: int,
        norm_first: bool,
        eps: float = 1e-5,
        norm_bias: bool = True,
        kernels: tuple[int, int] = (1, 1),
        dropout: float = 0.0,
    ):
        super().__init__()
        self.norm_first = norm_first
        self.dropout = dropout
        self.attn = attention
        self.attn_norm = LayerNorm(dim, eps, norm_bias)
        self.ffn_in = linear(dim, ffn_width, kernels[0])
        self.ffn_out = linear(ffn_width, dim, kernels[1])
        self.ffn_norm = LayerNorm(dim, eps, norm_bias)
        self.after_attn = Slot()
        self.after_activation = Slot()
        self.beside_ffn = Slot()
        self.after_ffn = Slot()

    def forward(self, hidden: Tensor, frames: Frames, **context: object) -> Tensor:
        """hidden (batch, time, dim) -> (batch, time, dim); `context` to the attention"""
        if self.norm_first:
            input = self.attn_norm(hidden, frames)
            hidden = self.after_attn(input, hidden + self._attend(input, frames, context), frames)
            input = self.ffn_norm(hidden, frames)
            return self.after_ffn(input, hidden + self.ffn(input, frames), frames)
        attended = self.attn_norm(hidden + self._attend(hidden, frames, context), frames)
        hidden = self.after_attn(hidden, attended, frames)
        return self.after_ffn(hidden, self.ffn_norm(hidden + self.ffn(hidden, frames), frames), frames)

    def _attend(self, input: Tensor, frames: Frames, context: dict[str, object]) -> Tensor:
        return regularise(self.attn(input, frames, **context), self.dropout, self.attn.out)

    def ffn(self, hidden: Tensor, frames: Frames) -> Tensor:
        """hidden (batch, time, dim) -> the same shape"""
        units = self.ffn_in(hidden, frames)
        units = self.after_activation(units, nn.functional.gelu(units), frames)
        made = regularise(self.ffn_out(units, frames), self.dropout, self.ffn_out)
        return self.beside_ffn(hidden, made, frames)

    def sites(self, prefix: str, index: int) -> Iterator[Site]:
        dim, units = self.ffn_out.out_features, self.ffn_in.out_features
        yield from self.attn.sites(f"{prefix}.attn", index)
        yield self.attn_norm.site(f"{prefix}.norm.attn", index)
        yield Site(f"{prefix}.after_attn", "residual", dim, dim, index, None, self.after_attn)
        yield self.ffn_in.site(f"{prefix}.ffn.in", index)
        yield self.ffn_out.site(f"{prefix}.ffn.out", index)
        yield Site(f"{prefix}.after_activation", "activation", units, units, index, self.ffn_out, self.after_activation)
        yield Site(f"{prefix}.ffn", "sublayer", dim, dim, index, None, self.beside_ffn)
        yield self.ffn_norm.site(f"{prefix}.norm.ffn", index)
        yield Site(f"{prefix}.after_ffn", "residual", dim, dim, index, None, self.after_ffn)
