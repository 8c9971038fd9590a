"""Heads: parameter counts, and that padding and batch mates never matter."""

import pytest
import torch

from sure.frames import Frames
from sure.tasks.heads import ClassificationHead, CtcHead

HEADS = {"classification": ClassificationHead, "ctc": CtcHead}


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("labels", [1, 5, 107])
def test_parameters_on_a_base_backbone(labels):
    assert parameters(ClassificationHead(768, labels)) == 196_864 + 257 * labels
    assert parameters(CtcHead(768, labels)) == 769 * labels


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("padding", [0.0, 1e4, float("nan"), float("inf")])
def test_padded_equals_alone(kind, padding):
    torch.manual_seed(0)
    head = HEADS[kind](16, 7, dropout=0.5).eval()
    lengths = [9, 4, 1]
    features = torch.randn(3, 9, 16)
    for row, length in enumerate(lengths):
        features[row, length:] = padding
    together = head(features, Frames(lengths))
    for row, length in enumerate(lengths):
        alone = head(features[row : row + 1, :length], Frames([length]))[0]
        mine = together[row] if kind == "classification" else together[row, :length]
        torch.testing.assert_close(mine, alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", HEADS)
def test_padding_reaches_no_gradient(kind):
    torch.manual_seed(0)
    gradients = []
    for padding in (0.0, float("nan")):
        torch.manual_seed(1)
        head = HEADS[kind](16, 7)
        features = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(2))
        features[1, 3:] = padding
        outputs = head(features, Frames([5, 3]))
        outputs = outputs if kind == "classification" else torch.cat([outputs[0], outputs[1, :3]])
        outputs.square().sum().backward()
        gradients.append([parameter.grad for parameter in head.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)


def test_classification_is_the_mean_of_the_projected_frames():
    torch.manual_seed(0)
    head = ClassificationHead(16, 3)
    features = torch.randn(1, 4, 16)
    expected = head.output(head.projection(features[0]).mean(0))
    torch.testing.assert_close(head(features, Frames([4]))[0], expected)


@pytest.mark.parametrize("kind", HEADS)
def test_no_frames_is_finite(kind):
    head = HEADS[kind](16, 3)
    outputs = head(torch.full((2, 4, 16), float("nan")), Frames([0, 0], 4))
    outputs.sum().backward()
    assert outputs.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


@pytest.mark.parametrize("kind", HEADS)
def test_autocast(kind):
    torch.manual_seed(0)
    head = HEADS[kind](64, 5)
    features, lengths = torch.randn(2, 300, 64), [300, 17]
    with torch.autocast("cpu", torch.bfloat16):
        low = head(features, Frames(lengths))
    torch.testing.assert_close(low.float(), head(features, Frames(lengths)), rtol=0.05, atol=0.05)
