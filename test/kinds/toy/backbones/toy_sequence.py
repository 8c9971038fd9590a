"""A speech encoder with a decoder of its own: one layer of attention from the last token to the encoder's frames."""

import torch
from torch import nn

from sure.backbones import moonshine
from sure.backbones.positions import sinusoids


class Family(moonshine.Family):
    shapes = {"tiny": moonshine.Family.shapes["tiny"]}

    def __init__(self, shape, padding="masked"):
        super().__init__(shape, padding)
        self.tokens = nn.Embedding(16, shape.dim)
        self.query, self.out = nn.Linear(shape.dim, shape.dim), nn.Linear(shape.dim, shape.dim)

    def decode(self, tokens, memory, frames):
        """tokens (batch, n) so far, memory (batch, time, dim) -> hidden units (batch, n, dim)"""
        hidden = self.tokens(tokens) + sinusoids(tokens.shape[1], self.dim).to(memory)
        scores = self.query(hidden) @ memory.transpose(1, 2) / self.dim**0.5
        scores = scores.masked_fill(~frames.mask(memory.device)[:, None], float("-inf"))
        return hidden + torch.tanh(self.out(scores.softmax(-1) @ memory))
