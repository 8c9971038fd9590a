"""The layer of a decoder: causal self-attention, attention to the encoder's output, feed-forward network."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from sure.backbones.attention_product import attention_product
from sure.backbones.base import Site, Slot
from sure.backbones.decoder_cache import KeysAndValues
from sure.backbones.layers import Attention, Layer, LayerNorm, Linear, apply_maps, bias_rows, score_bias, to_autocast
from sure.backbones.positions import Rotary, rotate
from sure.frames import Frames


class CausalAttention(Attention):
    """Self-attention of each token to itself and those before it."""

    def forward(
        self, hidden: Tensor, frames: Frames, cache: KeysAndValues | None = None, rotary: Rotary | None = None
    ) -> Tensor:
        """hidden (batch, tokens, dim) -> (batch, tokens, dim)

        cache: of the earlier tokens, to which these are added. rotary: angles of all tokens, the earlier ones too.
        """
        queries, keys, values = apply_maps([self.q, self.k, self.v], to_autocast(hidden), frames)
        if cache is not None:
            keys, values = cache.extend(keys, values)
        start, all_tokens = keys.shape[1] - hidden.shape[1], keys.shape[1]
        now = None if rotary is None else Rotary(rotary.cosine[start:], rotary.sine[start:])

        def attend(
            queries: Tensor, keys: Tensor, values: Tensor, masked: bool = True, rows: slice | None = None
        ) -> Tensor:
            """As described in AttentionSlot."""
            prefix = keys.shape[1] - all_tokens if masked else keys.shape[1]
            queries, keys, values = map(self._split, (queries, keys, values))
            if rotary is not None:
                queries, keys = rotate(queries, now), rotate(keys, rotary, prefix)
            mask = causal_mask(queries.shape[2], start + prefix, queries.device) if masked else None
            return attention_product(queries, keys, values, mask).transpose(1, 2).flatten(2)

        return self.out(self.slot(queries, keys, values, attend), frames)


class CrossAttention(Attention):
    """Attention of each token to the encoder's output, called memory."""

    def forward(
        self, hidden: Tensor, frames: Frames, memory: Tensor, memory_frames: Frames, cache: KeysAndValues | None = None
    ) -> Tensor:
        """hidden (batch, tokens, dim), memory (utterances, time, dim) -> (batch, tokens, dim)

        The batch has one or more rows, such as beams, for each utterance: all of the first one, then of the next.
        cache: of the memory; filled at the first call, later calls do not read the memory.
        """
        queries = self.q(hidden, frames)
        if cache is None or cache.pair is None:
            keys, values = apply_maps([self.k, self.v], to_autocast(memory), memory_frames)
            if cache is not None:
                cache.extend(keys, values)
        else:
            keys, values = cache.pair
        # The rows of an utterance in one, so that its keys and values are not copied for each.
        queries = queries.reshape(len(keys), -1, queries.shape[2])
        mask = score_bias(memory_frames, hidden.device, None)
        time = keys.shape[1]

        def attend(
            queries: Tensor, keys: Tensor, values: Tensor, masked: bool = True, rows: slice | None = None
        ) -> Tensor:
            """As described in AttentionSlot."""
            prefix = keys.shape[1] - time
            seen = bias_rows(mask, rows) if masked else None
            seen = None if seen is None else nn.functional.pad(seen, (prefix, 0), value=1.0)
            context = attention_product(*map(self._split, (queries, keys, values)), seen)
            return context.transpose(1, 2).flatten(2)

        return self.out(self.slot(queries, keys, values, attend).reshape(hidden.shape), frames)


def causal_mask(tokens: int, before: int, device: torch.device) -> Tensor | None:
    """(1, 1, tokens, before + tokens): True where a query attends to a key; None if all queries attend to all keys."""
    if tokens == 1:
        return None
    return torch.ones(1, 1, tokens, before + tokens, dtype=torch.bool, device=device).tril(before)


class DecoderLayer(Layer):
    """A pre-norm layer with a second attention, to the encoder's output; slots: those of Layer and `after_cross`.

    gated: the FFN is W_out (silu(g) * u), with u and g the two halves of W_in x + b (arXiv 2002.05202).
    key_bias: whether the maps to keys have a bias, as `bias` by default.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        ffn_width: int,
        bias: bool = True,
        key_bias: bool | None = None,
        norm_bias: bool = True,
        gated: bool = False,
    ):
        super().__init__(
            CausalAttention(dim, heads, bias, key_bias=key_bias), dim, ffn_width, norm_first=True, norm_bias=norm_bias
        )
        self.gated = gated
        if gated:
            self.ffn_in = Linear(dim, 2 * ffn_width)
        self.cross = CrossAttention(dim, heads, bias, key_bias=key_bias)
        self.cross_norm = LayerNorm(dim, bias=norm_bias)
        self.after_cross = Slot()

    def forward(
        self,
        hidden: Tensor,
        frames: Frames,
        memory: Tensor,
        memory_frames: Frames,
        tokens_cache: KeysAndValues | None = None,
        memory_cache: KeysAndValues | None = None,
        rotary: Rotary | None = None,
    ) -> Tensor:
        """hidden (batch, tokens, dim) -> the same shape; the other arguments are those of the two attentions."""
        input = self.attn_norm(hidden, frames)
        hidden = self.after_attn(input, hidden + self.attn(input, frames, tokens_cache, rotary), frames)
        input = self.cross_norm(hidden, frames)
        found = self.cross(input, frames, memory, memory_frames, memory_cache)
        hidden = self.after_cross(input, hidden + found, frames)
        input = self.ffn_norm(hidden, frames)
        return self.after_ffn(input, hidden + self.ffn(input, frames), frames)

    def activate(self, units: Tensor) -> Tensor:
        if not self.gated:
            return super().activate(units)
        values, gates = units.chunk(2, -1)
        return nn.functional.silu(gates) * values

    def sites(self, prefix: str, index: int) -> Iterator[Site]:
        for site in super().sites(prefix, index):
            yield replace(site, causal=True)
            if site.name == f"{prefix}.after_attn":
                yield from (replace(each, causal=True) for each in self._cross_sites(prefix, index))

    def _cross_sites(self, prefix: str, index: int) -> Iterator[Site]:
        dim = self.ffn_out.out_features
        yield from self.cross.sites(f"{prefix}.cross", index)
        yield self.cross_norm.site(f"{prefix}.norm.cross", index)
        yield Site(f"{prefix}.after_cross", "residual", dim, dim, index, None, self.after_cross)
