"""Attention with a prefix, positions and padding compared with its formula."""

import math

import pytest
import torch
from torch import nn

from sure.backbones.attention_product import ShortAttention, attention_product
from sure.backbones.layers import Attention
from sure.backbones.positions import BiasGate, rotary_angles, rotate
from sure.frames import Frames

BATCH, TIME, DIM, HEADS = 3, 7, 24, 4
LENGTHS = torch.tensor([7, 4, 0])


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


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("positions", [None, "rotary", "bias"])
@pytest.mark.parametrize("prefix", [None, "masked", "own"])
@torch.no_grad()
def test_attention_is_its_formula(prefix, positions, padded):
    """softmax(q k / sqrt d + bias) v, with the bias -inf in padding and 0 in a prefix."""
    torch.manual_seed(1)
    hidden = torch.randn(BATCH, TIME, DIM)
    attention = Attention(DIM, HEADS, gate=BiasGate(DIM, HEADS) if positions == "bias" else None)
    vectors = torch.randn(BATCH, 2, DIM) if prefix else None
    capture = attention.slot.attached["capture"] = Capture(vectors, prefix == "masked")
    rotary, position_bias = rotary_angles(TIME, 4, hidden.device), 3 * torch.randn(HEADS, TIME, TIME)
    context = {"rotary": {"rotary": rotary}, "bias": {"position_bias": position_bias}}.get(positions, {})
    output = attention(hidden, Frames(LENGTHS if padded else torch.tensor([TIME] * BATCH), TIME), **context)
    assert output.isfinite().all()  # also without a frame, where some attention kernels would return NaN
    assert torch.equal(output, attention.out(capture.context))
    assert all(map(torch.equal, capture.given, (attention.q(hidden), attention.k(hidden), attention.v(hidden))))

    queries, keys, values = map(split, capture.given)
    if positions == "rotary":
        queries, keys = rotate(queries, rotary), rotate(keys, rotary)
    bias = attention.gate(hidden) * position_bias if positions == "bias" else torch.zeros(BATCH, 1, TIME, TIME)
    if padded:
        bias = bias.masked_fill(torch.arange(TIME) >= LENGTHS[:, None, None, None], -math.inf)
    if prefix == "masked":
        keys, values = (torch.cat([split(vectors), each], 2) for each in (keys, values))
        bias = nn.functional.pad(bias, (2, 0))
    if prefix == "own":
        keys = values = split(vectors)
        bias = 0
    wanted = torch.softmax(queries @ keys.mT / math.sqrt(DIM / HEADS) + bias, 3) @ values
    rows = slice(2 if padded else 3)  # the third utterance has no frame
    assert torch.allclose(capture.context[rows], wanted.transpose(1, 2).flatten(2)[rows], atol=1e-5)


@pytest.mark.parametrize("mask", [None, "padding", "bias"])
def test_attention_of_short_utterances_in_bfloat16(mask, monkeypatch):
    """The output is PyTorch's, bit for bit; gradients are nearer to those in float64 than PyTorch's."""
    torch.manual_seed(3)
    tensors = [(2 * torch.randn(2, 3, time, 16)).bfloat16().requires_grad_() for time in (40, 43, 43)]
    gradient, scores = torch.randn(2, 3, 40, 16), None
    if mask == "padding":
        scores = (torch.arange(43) < torch.tensor([43, 9])[:, None])[:, None, None]
    if mask == "bias":
        scores = torch.randn(1, 3, 40, 43).bfloat16()
    calls, apply = [], ShortAttention.apply
    monkeypatch.setattr(ShortAttention, "apply", lambda *each: calls.append(1) or apply(*each))

    def outputs_and_gradients(attend, tensors, scores=scores):
        output = attend(*tensors, scores)
        return output, torch.autograd.grad(output, tensors, gradient.to(output))

    found, ours = outputs_and_gradients(attention_product, tensors)
    wanted, pytorch = outputs_and_gradients(nn.functional.scaled_dot_product_attention, tensors)
    assert calls == [1] and torch.equal(found, wanted)
    exact_scores = scores.double() if mask == "bias" else scores
    exact_tensors = [each.detach().double().requires_grad_() for each in tensors]
    _, exact = outputs_and_gradients(nn.functional.scaled_dot_product_attention, exact_tensors, exact_scores)
    for one, other, right in zip(ours, pytorch, exact, strict=True):
        assert one.dtype == torch.bfloat16 and (one - right).norm() <= (other - right).norm() < 0.02 * right.norm()
