"""Attention with a prefix, positions and padding compared with its formula."""

import math

import pytest
import torch
from torch import nn

from sure.backbones.layers import Attention
from sure.backbones.positions import BiasGate, rotary_angles, rotate
from sure.frames import Frames

BATCH, TIME, DIM, HEADS = 3, 7, 24, 4
PADDED = Frames(torch.tensor([7, 4, 0]), TIME)
MASK = torch.arange(TIME) < torch.tensor([7, 4, 0])[:, None]


def by_hand(queries, keys, values, bias, mask):
    """softmax(q k / sqrt d + bias) v over the keys in the mask; all (batch, heads, time, d)"""
    scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
    scores = scores if bias is None else scores + bias
    scores = scores if mask is None else scores.masked_fill(~mask[:, None, None], -math.inf)
    return torch.softmax(scores, 3) @ values


def split(tensor):
    return tensor.unflatten(2, (HEADS, -1)).transpose(1, 2)


class Capture(nn.Module):
    """A module for the attention's slot that keeps its arguments and its result."""

    def __init__(self, prefix=None, masked=True):
        super().__init__()
        self.prefix, self.masked = prefix, masked

    def forward(self, queries, keys, values, attend):
        self.given = queries, keys, values
        if self.prefix is not None and self.masked:
            keys, values = (torch.cat([self.prefix, part], 1) for part in (keys, values))
        elif self.prefix is not None:
            keys = values = self.prefix
        self.context = attend(queries, keys, values, masked=self.prefix is None or self.masked)
        return self.context


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("positions", [None, "rotary", "bias"])
@pytest.mark.parametrize("prefix", [None, "masked", "own"])
@torch.no_grad()
def test_attention_is_its_formula(prefix, positions, mask):
    torch.manual_seed(1)
    hidden = torch.randn(BATCH, TIME, DIM)
    attention = Attention(DIM, HEADS, gate=BiasGate(DIM, HEADS) if positions == "bias" else None)
    vectors = torch.randn(BATCH, 2, DIM) if prefix else None
    capture = attention.slot.attached["capture"] = Capture(vectors, prefix == "masked")
    context = {}
    if positions == "rotary":
        context["rotary"] = rotary_angles(TIME, 4, hidden.device)
    if positions == "bias":
        context["position_bias"] = 3 * torch.randn(HEADS, TIME, TIME)
    output = attention(hidden, PADDED if mask is MASK else Frames(torch.tensor([TIME] * BATCH), TIME), **context)
    assert output.isfinite().all()  # also without a frame, where some attention kernels would return NaN
    assert torch.equal(output, attention.out(capture.context))
    assert all(map(torch.equal, capture.given, (attention.q(hidden), attention.k(hidden), attention.v(hidden))))

    queries, keys, values = map(split, capture.given)
    if positions == "rotary":
        queries, keys = rotate(queries, context["rotary"]), rotate(keys, context["rotary"])
    bias = attention.gate(hidden) * context["position_bias"] if positions == "bias" else None
    if prefix == "masked":
        keys, values = torch.cat([split(vectors), keys], 2), torch.cat([split(vectors), values], 2)
        bias = None if bias is None else nn.functional.pad(bias, (2, 0))
        mask = None if mask is None else nn.functional.pad(mask, (2, 0), value=True)
    if prefix == "own":
        keys = values = split(vectors)
        bias = mask = None
    wanted = by_hand(queries, keys, values, bias, mask).transpose(1, 2).flatten(2)
    rows = slice(None) if mask is None else slice(2)  # the third utterance has no frame
    assert torch.allclose(capture.context[rows], wanted[rows], atol=1e-5)
