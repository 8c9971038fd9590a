"""The transformer layer of all backbones: named linear maps, attention, and slots for methods."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from sure.backbones.attention_product import attention_product
from sure.backbones.base import AttentionSlot, Site, Slot
from sure.backbones.positions import Rotary, rotate
from sure.backbones.products import FrozenMap, Origin, frozen_products
from sure.frames import Frames


def to_autocast(tensor: Tensor) -> Tensor:
    """In the type of autocast where that is on, so that several maps of one input do not convert it several times."""
    kind = tensor.device.type
    return tensor.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else tensor


class Linear(nn.Linear):
    """A linear map with a slot after it. Where `quantised` has the frozen weight, `weight` is None (quantised.py)."""

    def __init__(self, width_in: int, width_out: int, bias: bool = True):
        super().__init__(width_in, width_out, bias)
        self.quantised: nn.Module | None = None
        self.slot = Slot()

    def forward(self, input: Tensor, frames: Frames | None = None, origin: Origin | None = None) -> Tensor:
        """input (batch, time, width_in) -> (batch, time, width_out). origin: as in `frozen_products`."""
        if self.frozen:
            return apply_maps([self], input, frames, origin)[0]
        return self.slot(input, super().forward(input), frames)

    @property
    def frozen(self) -> bool:
        """Whether the weight is; the bias may train."""
        return self.weight is None or not self.weight.requires_grad

    def frozen_map(self) -> FrozenMap:
        """The map, with the first module of the slot if that adds a low-rank product B A input."""
        weight = (lambda: self.weight) if self.quantised is None else self.quantised.dequantise
        module = next(iter(self.slot.attached.values()), None)
        return FrozenMap(weight, self.bias, module.branch() if hasattr(module, "branch") else None)

    def site(self, name: str, layer: int) -> Site:
        return Site(name, "linear", self.in_features, self.out_features, layer, self, self.slot)


def apply_maps(
    maps: Sequence[Linear], input: Tensor, frames: Frames | None, origin: Origin | None = None
) -> list[Tensor]:
    """Linear maps of one input (batch, time, width_in), in one function if all are frozen.

    Returns for each map (batch, time, width_out), with the modules of its slot.
    """
    if not all(each.frozen for each in maps):
        return [each(input, frames) for each in maps]
    frozen_maps = [each.frozen_map() for each in maps]
    outputs = frozen_products(to_autocast(input), frozen_maps, origin)
    return [
        each.slot(input, output, frames, skip=int(frozen_map.branch is not None))
        for each, frozen_map, output in zip(maps, frozen_maps, outputs, strict=True)
    ]


class Convolution(Linear):
    """A convolution over time with `same` padding, as a linear map of windows of frames.

    Methods for linear maps apply unchanged: the input of the site is (batch, time, width_in * kernel), the frames of
    each channel next to each other, so that the weight is that of a Conv1d. Padding counts as zero.
    """

    def __init__(self, width_in: int, width_out: int, kernel: int):
        super().__init__(width_in * kernel, width_out)
        self.width_in, self.kernel = width_in, kernel  # the kernel has to be odd

    def forward(self, input: Tensor, frames: Frames | None = None, origin: Origin | None = None) -> Tensor:
        """input (batch, time, width_in) -> (batch, time, width_out). origin: not used, the input is stored."""
        if frames is not None:
            input = frames.fill(input)
        channels = nn.functional.pad(input.transpose(1, 2), (self.kernel // 2, self.kernel // 2))
        weight = self.weight.unflatten(1, (self.width_in, self.kernel))
        # The memory layout of a linear map's output, slot or not: another layout would change the rounding.
        output = nn.functional.conv1d(channels, weight, self.bias).transpose(1, 2).contiguous()
        if not self.slot.attached:
            return output
        windows = channels.unfold(2, self.kernel, 1).transpose(1, 2).flatten(2)
        return self.slot(windows, output, frames)


class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the last dimension, with a slot after it."""

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
    """A linear map of frames, or of windows of `kernel` frames."""
    return Linear(width_in, width_out) if kernel == 1 else Convolution(width_in, width_out, kernel)


def regularise(output: Tensor, rate: float, host: nn.Module) -> Tensor:
    """Dropout on the output of `host`, in training and only if its weight trains: frozen modules have no dropout."""
    trains = host.weight is not None and host.weight.requires_grad
    return nn.functional.dropout(output, rate) if rate and host.training and trains else output


class Attention(nn.Module):
    """Multi-head self-attention with four named linear maps and a slot for a prefix.

    key_bias: whether the map to keys has a bias, as `bias` by default; Whisper has none.
    gate: maps the input to a factor (batch, heads, time, 1) for the position bias (WavLM).
    """

    def __init__(
        self, dim: int, heads: int, bias: bool = True, gate: nn.Module | None = None, key_bias: bool | None = None
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
        self, hidden: Tensor, frames: Frames, position_bias: Tensor | None = None, rotary: Rotary | None = None
    ) -> Tensor:
        """hidden (batch, time, dim) -> (batch, time, dim)

        position_bias: (heads, time, time), added to the scores after the gate.
        rotary: angles by which queries and keys are rotated.
        """
        if self.gate is not None and position_bias is not None:
            position_bias = self.gate(hidden) * position_bias
        bias = score_bias(frames, hidden.device, position_bias)

        def attend(
            queries: Tensor, keys: Tensor, values: Tensor, masked: bool = True, rows: slice | None = None
        ) -> Tensor:
            """As described in AttentionSlot; keys beyond the time of the input are a prefix without position."""
            prefix = keys.shape[1] - hidden.shape[1] if masked else keys.shape[1]
            queries, keys, values = map(self._split, (queries, keys, values))
            if rotary is not None:
                queries = rotate(queries, rotary)
                keys = rotate(keys, rotary, prefix)
            scores = _prepend(bias_rows(bias, rows), prefix, queries.dtype) if masked else None
            context = attention_product(queries, keys, values, scores)
            return context.transpose(1, 2).flatten(2)

        queries, keys, values = apply_maps([self.q, self.k, self.v], to_autocast(hidden), frames)
        context = self.slot(queries, keys, values, attend)
        return self.out(context, frames)

    def _split(self, tensor: Tensor) -> Tensor:
        """(batch, time, dim) -> (batch, heads, time, dim / heads)"""
        return tensor.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def sites(self, prefix: str, layer: int) -> Iterator[Site]:
        for name in ("q", "k", "v", "out"):
            yield getattr(self, name).site(f"{prefix}.{name}", layer)
        yield Site(prefix, "attention", self.q.in_features, self.out.out_features, layer, self, self.slot)


def score_bias(frames: Frames, device: torch.device, position_bias: Tensor | None) -> Tensor | None:
    """Attention mask for scaled_dot_product_attention: boolean or additive; None without padding and bias.

    The first key is never masked: it is padding only if the utterance has no frames, and a softmax over no keys is NaN.
    position_bias: ([batch,] heads, time, time)
    """
    if frames.full:
        return position_bias
    seen = frames.mask(device).clone()
    seen[:, 0] = True
    seen = seen[:, None, None, :]
    return seen if position_bias is None else position_bias.masked_fill(~seen, float("-inf"))


def bias_rows(bias: Tensor | None, rows: slice | None) -> Tensor | None:
    """Some rows of a bias or mask (batch, heads, time, time); others hold for all rows."""
    return bias if bias is None or rows is None or bias.dim() < 4 else bias[rows]


def _prepend(bias: Tensor | None, prefix: int, dtype: torch.dtype) -> Tensor | None:
    """The mask with `prefix` more keys in front, unmasked and without bias; additive masks in `dtype`."""
    if bias is None:
        return None
    boolean = bias.dtype == torch.bool
    bias = bias if boolean else bias.to(dtype)
    return nn.functional.pad(bias, (prefix, 0), value=float(boolean)) if prefix else bias


class Layer(nn.Module):
    """Attention and feed-forward network (FFN), each with a residual sum and a norm before it (`norm_first`) or after.

    The slots `after_attn` and `after_ffn` receive the input of the sublayer and the residual stream after it: after
    the sum with `norm_first`, otherwise after the norm. `after_activation` receives the hidden units of the FFN before
    and after the activation, `ffn_slot` the input and the output of the FFN, before the sum.

    kernels: kernel sizes of the two maps of the FFN, in frames. dropout: after each sublayer, if its weights train.
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
        self.units = ffn_width
        self.ffn_in = linear(dim, ffn_width, kernels[0])
        self.ffn_out = linear(ffn_width, dim, kernels[1])
        self.ffn_norm = LayerNorm(dim, eps, norm_bias)
        self.after_attn = Slot()
        self.after_activation = Slot()
        self.ffn_slot = Slot()
        self.after_ffn = Slot()

    def forward(self, hidden: Tensor, frames: Frames, **context: object) -> Tensor:
        """hidden (batch, time, dim) -> the same shape. context: keyword arguments of the attention."""
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
        units = self.ffn_in(to_autocast(hidden), frames)
        active = self.after_activation(units, self.activate(units), frames)
        origin = None if self.after_activation.attached else Origin(self.activate, units)
        made = regularise(self.ffn_out(active, frames, origin), self.dropout, self.ffn_out)
        return self.ffn_slot(hidden, made, frames)

    def activate(self, units: Tensor) -> Tensor:
        """Hidden units (batch, time, width) before the activation -> after it"""
        return nn.functional.gelu(units)

    def sites(self, prefix: str, index: int) -> Iterator[Site]:
        dim, units, before = self.ffn_out.out_features, self.units, self.ffn_in.out_features
        yield from self.attn.sites(f"{prefix}.attn", index)
        yield self.attn_norm.site(f"{prefix}.norm.attn", index)
        yield Site(f"{prefix}.after_attn", "residual", dim, dim, index, None, self.after_attn)
        yield self.ffn_in.site(f"{prefix}.ffn.in", index)
        yield self.ffn_out.site(f"{prefix}.ffn.out", index)
        yield Site(
            f"{prefix}.after_activation", "activation", before, units, index, self.ffn_out, self.after_activation
        )
        yield Site(f"{prefix}.ffn", "sublayer", dim, dim, index, None, self.ffn_slot)
        yield self.ffn_norm.site(f"{prefix}.norm.ffn", index)
        yield Site(f"{prefix}.after_ffn", "residual", dim, dim, index, None, self.after_ffn)
