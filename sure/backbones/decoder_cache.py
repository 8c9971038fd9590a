"""Keys and values that a decoder keeps between the steps of generation."""

import torch
from torch import Tensor


class KeysAndValues:
    """Keys and values of one attention, each (batch, time, dim), before rotation; empty at first."""

    def __init__(self) -> None:
        self.pair: tuple[Tensor, Tensor] | None = None

    @property
    def length(self) -> int:
        return 0 if self.pair is None else self.pair[0].shape[1]

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add those of further tokens; returns all of them."""
        if self.pair is not None:
            keys, values = (torch.cat(both, 1) for both in zip(self.pair, (keys, values), strict=True))
        self.pair = keys, values
        return self.pair

    def select(self, rows: Tensor) -> None:
        if self.pair is not None:
            self.pair = self.pair[0].index_select(0, rows), self.pair[1].index_select(0, rows)


class DecoderCache:
    """Keys and values for each decoder layer: of the tokens so far (`tokens`), and of the memory (`memory`)."""

    def __init__(self, layers: int):
        self.tokens = [KeysAndValues() for _ in range(layers)]
        self.memory = [KeysAndValues() for _ in range(layers)]

    @property
    def length(self) -> int:
        """Number of tokens so far, which is the position of the next one."""
        return self.tokens[0].length

    def select(self, rows: Tensor) -> None:
        """Reorder, repeat or drop rows of tokens (hypotheses). rows: (new batch,) int64, on the device of the cache."""
        for each in self.tokens:
            each.select(rows)

    def keep(self, utterances: Tensor) -> None:
        """The same for rows of the encoder's output; pass the same rows of memory and frames to the next steps."""
        for each in self.memory:
            each.select(utterances)
