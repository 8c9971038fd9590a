"""Base of the recognisers: a speech encoder and a decoder that attends to its output and predicts the next token."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from sure.backbones.base import Encoded, Site, SpeechEncoder
from sure.backbones.decoder_cache import DecoderCache
from sure.backbones.huggingface import FromHuggingFace
from sure.backbones.positions import Rotary
from sure.backbones.recompute import layer_call
from sure.errors import SureError
from sure.frames import Frames


class Decoder(nn.Module):
    """Tokens to hidden vectors: an embedding, decoder layers, and a norm after the last one.

    layers: each a DecoderLayer of width `dim`. positions: number of learned positions; 0 for rotary ones.
    """

    def __init__(self, vocabulary: int, layers: nn.ModuleList, norm: nn.Module, dim: int, positions: int = 0):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, dim)
        self.positions = nn.Embedding(positions, dim) if positions else None
        self.layers = layers
        self.norm = norm

    def embed(self, tokens: Tensor, start: int) -> Tensor:
        """tokens (batch, n) int64, the first at position `start` -> (batch, n, dim)"""
        hidden = self.tokens(tokens)
        if self.positions is None:
            return hidden
        return hidden + self.positions.weight[start : start + tokens.shape[1]]


class EncoderDecoder(FromHuggingFace):
    """A recogniser: waveforms to the encoder's output, called memory, from which the decoder predicts tokens.

    The output map is the token embedding. Methods have sites in both stacks, `encoder.layer.N...` and
    `decoder.layer.N...`; the convolutions are `conv.N` as in the encoder alone.
    """

    encoder: SpeechEncoder
    decoder: Decoder

    @classmethod
    def huggingface_state(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Of a model with or without the output map, which has to be the token embedding."""
        inside = {name.removeprefix("model."): tensor for name, tensor in state.items()}
        output, embedding = inside.pop("proj_out.weight", None), inside.get("decoder.embed_tokens.weight")
        if output is not None and embedding is not None and not torch.equal(output, embedding):
            raise SureError("proj_out.weight is not the token embedding; only models that share it are supported")
        return {cls.ours(name): tensor for name, tensor in inside.items()}

    @property
    def layers(self) -> list[nn.Module]:
        return [*self.encoder.layers, *self.decoder.layers]

    @property
    def recompute_layers(self) -> bool:
        return self.encoder.recompute_layers

    @recompute_layers.setter
    def recompute_layers(self, wanted: bool) -> None:
        self.encoder.recompute_layers = wanted

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return self.decoder.tokens.num_embeddings

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """Largest number of tokens of a text, with its prompt."""

    def rotary(self, tokens: int, device: torch.device) -> Rotary | None:
        """Angles of the first positions of the decoder; None for learned positions."""
        return None

    def memory_lengths(self, samples: Tensor) -> Tensor:
        """Samples of each utterance (batch,) -> frames that the decoder attends to (batch,)."""
        return self.encoder.frame_count(samples)

    def encode(self, waves: Tensor, lengths: Tensor) -> Encoded:
        """waves (batch, samples), lengths: samples (batch,), on the CPU -> taps of the encoder; the last is the memory.

        The frames are those that the decoder attends to.
        """
        return self.encoder.resume(self.encoder.begin(waves, lengths), self.memory_lengths(lengths))

    def decode(self, tokens: Tensor, memory: Tensor, frames: Frames, cache: DecoderCache | None = None) -> Tensor:
        """tokens (batch, n) int64, memory (utterances, time, dim) -> hidden vectors of the tokens (batch, n, dim)

        A token depends on those before it, so padding at the end needs no mask.
        frames: of the memory. cache: with the tokens before these, to which these are added. The batch may have
        several rows for each utterance: all of the first one, then of the next.
        Raises SureError for more tokens than the decoder has positions.
        """
        start, count = (0 if cache is None else cache.length), tokens.shape[1]
        if start + count > self.max_tokens:
            raise SureError(
                f"a text has {start + count} tokens with its prompt, the decoder has {self.max_tokens} positions; "
                "cut the utterance"
            )
        hidden, rotary = self.decoder.embed(tokens, start), self.rotary(start + count, tokens.device)
        own = Frames(torch.full((len(tokens),), count))
        for number, layer in enumerate(self.decoder.layers):
            caches = (None, None) if cache is None else (cache.tokens[number], cache.memory[number])
            call = layer_call(layer, hidden, self.recompute_layers and cache is None)
            hidden = call(hidden, own, memory, frames, *caches, rotary)
        return self.decoder.norm(hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden (batch, n, dim) -> (batch, n, vocabulary)"""
        return nn.functional.linear(hidden, self.decoder.tokens.weight)

    def huggingface_differences(self) -> list[str]:
        """Differences between transformers and SURE with the same weights, as sentences for the user."""
        return self.encoder.huggingface_differences()

    def new_cache(self) -> DecoderCache:
        return DecoderCache(len(self.decoder.layers))

    def sites(self) -> list[Site]:
        encoder = (replace(site, name=_in_encoder(site)) for site in self.encoder.sites())
        return [*encoder, *self._decoder_sites()]

    def _decoder_sites(self) -> Iterator[Site]:
        below = len(self.encoder.layers)
        for number, layer in enumerate(self.decoder.layers):
            yield from layer.sites(f"decoder.layer.{number}", below + number)
            yield Site(f"decoder.layer.{number}.output", "tap", self.dim, self.dim, below + number)

    def fixed_taps(self, parameters: Sequence[str]) -> int:
        """The encoder's, if the parameters are of the decoder alone."""
        inside = any(not name.startswith("decoder.") for name in parameters)
        return 0 if inside else len(self.encoder.layers) + 1

    def convolution_sites(self) -> Iterator[Site]:
        return self.encoder.convolution_sites()


def _in_encoder(site: Site) -> str:
    return site.name if site.layer is None else f"encoder.{site.name}"
