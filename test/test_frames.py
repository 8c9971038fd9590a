"""Frames against plain torch on single rows."""

import pytest
import torch

from sure.frames import Frames

LENGTHS = [5, 3, 1]
DIMENSIONS = [(), (4,), (4, 2)]


def batch(dimensions, padding=float("nan")):
    values = torch.randn(3, 6, *dimensions, generator=torch.Generator().manual_seed(1))
    for row, length in enumerate(LENGTHS):
        values[row, length:] = padding
    return values


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_each_row_is_what_it_is_alone(dimensions):
    values, frames = batch(dimensions), Frames(LENGTHS, 6)
    alone = [row[:length] for row, length in zip(values, LENGTHS, strict=True)]
    torch.testing.assert_close(frames.mean(values), torch.stack([row.mean(0) for row in alone]))
    assert torch.equal(frames.max(values), torch.stack([row.amax(0) for row in alone]))
    assert all(torch.equal(*pair) for pair in zip(frames.split(values), alone, strict=True))
    packed = frames.pack(values)
    assert torch.equal(packed, torch.cat(alone)[None])
    assert torch.equal(frames.unpack(packed), batch(dimensions, padding=0.0))
    assert torch.equal(frames.fill(values), batch(dimensions, padding=0.0))
    assert torch.equal(frames.fill(values, 7.0), batch(dimensions, padding=7.0))


def test_time_may_be_any_dimension():
    filled = Frames(LENGTHS, 6).fill(batch((4,)).transpose(1, 2), dim=2)
    assert torch.equal(filled.transpose(1, 2), batch((4,), padding=0.0))


def test_no_gradient_reaches_padding():
    values = batch((4,)).requires_grad_()
    frames = Frames(LENGTHS, 6)
    frames.mean(values).sum().backward()
    expected = [1 / length if frame < length else 0 for length in LENGTHS for frame in range(6)]
    torch.testing.assert_close(values.grad, torch.tensor(expected).view(3, 6, 1).expand(3, 6, 4))


def test_a_row_without_frames():
    frames = Frames([2, 0], 2)
    values = torch.tensor([[1.0, 3.0], [float("nan")] * 2])
    assert frames.mean(values).tolist() == [2, 0] and frames.max(values).tolist() == [3, float("-inf")]
    assert [len(row) for row in frames.split(values)] == [2, 0]
    assert frames.unpack(frames.pack(values)).tolist() == [[1, 3], [0, 0]]


def test_a_full_batch_is_left_as_it_is():
    values = torch.randn(2, 3)
    frames = Frames([3, 3])
    assert frames.full and frames.fill(values) is values and torch.equal(frames.mean(values), values.mean(1))
    assert not Frames([3, 2]).full and not Frames([3, 3], 4).full


def test_masks_are_made_once_and_lengths_stay_on_the_cpu():
    frames = Frames(torch.tensor(LENGTHS), 6)
    mask = frames.mask(torch.device("cpu"))
    assert mask.sum(1).tolist() == LENGTHS == frames.lengths.tolist() and mask is frames.mask(torch.device("cpu"))
    assert frames.mask(torch.device("meta")).device.type == "meta" and frames.lengths.device.type == "cpu"


def test_a_layer_with_a_stride():
    halved = Frames(LENGTHS, 6).after(lambda lengths: lengths // 2)
    assert (halved.lengths.tolist(), halved.time) == ([2, 1, 0], 3)
