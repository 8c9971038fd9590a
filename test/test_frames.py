"""Frames against plain torch on single rows."""

import pytest
import torch

from sure.frames import Frames

LENGTHS = [5, 3, 1]


def batch(dimensions, padding=float("nan")):
    values = torch.randn(3, 6, *dimensions, generator=torch.Generator().manual_seed(1))
    for row, length in enumerate(LENGTHS):
        values[row, length:] = padding
    return values


@pytest.mark.parametrize("dimensions", [(), (4,), (4, 2)])
def test_each_row_is_as_it_is_alone(dimensions):
    values, frames = batch(dimensions), Frames(LENGTHS, 6)
    alone = [row[:length] for row, length in zip(values, LENGTHS, strict=True)]
    torch.testing.assert_close(frames.mean(values), torch.stack([row.mean(0) for row in alone]))
    assert torch.equal(frames.max(values), torch.stack([row.amax(0) for row in alone]))
    assert all(map(torch.equal, frames.split(values), alone))
    packed = frames.pack(values)
    assert torch.equal(packed, torch.cat(alone)[None])
    assert torch.equal(frames.unpack(packed), batch(dimensions, padding=0.0))
    assert torch.equal(frames.fill(values, 7.0), batch(dimensions, padding=7.0))


def test_a_row_without_frames():
    frames = Frames([2, 0], 2)
    values = torch.tensor([[1.0, 3.0], [float("nan")] * 2])
    assert frames.mean(values).tolist() == [2, 0] and frames.max(values).tolist() == [3, float("-inf")]
    assert frames.unpack(frames.pack(values)).tolist() == [[1, 3], [0, 0]]
