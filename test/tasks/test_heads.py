"""Heads: parameter counts, values by hand, and that padding, batch mates and single frames do no harm."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from sure.frames import Frames
from sure.tasks.heads import ClassificationHead, CtcHead, EmbeddingHead

POOLINGS = ["mean", "statistics", "attentive"]
HEADS = {
    "classification": ClassificationHead,
    "ctc": CtcHead,
    **{pooling: partial(EmbeddingHead, embedding=8, pooling=pooling) for pooling in POOLINGS},
}
every_head = pytest.mark.parametrize("kind", HEADS)


def make(kind, width=16, outputs=3, **options):
    torch.manual_seed(0)
    return HEADS[kind](width, outputs, **options)


def by_hand(head, frames):
    """The head's output for one utterance, (frames, width), as in the papers."""
    if isinstance(head, CtcHead):
        return head.output(frames)
    if isinstance(head, ClassificationHead):
        return head.output(head.projection(frames).mean(0))
    weights = torch.full((len(frames),), 1 / len(frames))
    if head.attention is not None:
        weights = head.attention.score(torch.tanh(head.attention.hidden(frames)))[:, 0].softmax(0)
    mean = weights @ frames
    deviation = (weights @ (frames - mean) ** 2).clamp(min=1e-8).sqrt()
    embedding = head.projection(torch.cat([mean, deviation]) if head.deviation else mean)
    embedding = embedding / embedding.norm()
    return torch.cat([embedding, F.cosine_similarity(embedding, head.speakers)])


def rows(outputs, lengths):
    """Outputs of each utterance, of its own frames where there is one output a frame."""
    return [row[:length] if row.dim() == 2 else row for row, length in zip(outputs, lengths, strict=True)]


def gradients(head, features):
    return [features.grad, *(parameter.grad for parameter in head.parameters())]


def test_parameters_on_a_base_backbone():
    assert {kind: sum(one.numel() for one in make(kind, 768, 5).parameters()) for kind in HEADS} == {
        "classification": 196_864 + 257 * 5,
        "ctc": 769 * 5,
        "mean": 8 * (769 + 5),
        "statistics": 8 * (1537 + 5),
        "attentive": 8 * (1537 + 5) + 769 * 128 + 128,
    }


@every_head
@pytest.mark.parametrize("padding", [0.0, 1e4, float("nan"), float("inf")])
def test_outputs_and_gradients_by_hand_whatever_the_padding(kind, padding):
    head, lengths, features = make(kind, dropout=0.5).eval(), [9, 4, 1], torch.randn(3, 9, 16)
    if kind in POOLINGS:
        features = 300 + 5 * features  # a variance is the difference of large numbers
    for row, length in enumerate(lengths):
        features[row, length:] = padding
    found, given = [], [features.requires_grad_(), *head.parameters()]
    outputs = rows(head(features, Frames(lengths)), lengths)
    expected = [by_hand(head, features[row, :length]) for row, length in enumerate(lengths)]
    for each in (outputs, expected):
        found.append(torch.autograd.grad(sum(output.square().sum() for output in each[:2]), given))
    for one, other in zip([*outputs, *found[0]], [*expected, *found[1]], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@every_head
@pytest.mark.parametrize("frames", ["one", "equal", "none"])
def test_frames_without_deviation_are_finite(kind, frames):
    """The slope of the square root at 0 is infinite, and 0 / 0 is not a number."""
    head, features = make(kind), torch.randn(2, 4, 16)
    features[1] = features[1, 0] if frames == "equal" else float("nan")
    if frames == "one":
        features[1, 0] = 1.0
    outputs = head(features.requires_grad_(), Frames([4, {"one": 1, "equal": 4, "none": 0}[frames]]))
    outputs.square().sum().backward()
    assert outputs.isfinite().all()
    assert all(gradient.isfinite().all() and gradient.abs().sum() > 0 for gradient in gradients(head, features))
    if kind in POOLINGS:
        assert outputs[:, :8].norm(dim=1).tolist() == pytest.approx([1, 1])


@every_head
def test_autocast(kind):
    head, features, frames = make(kind, width=64), torch.randn(2, 300, 64), Frames([300, 17])
    with torch.autocast("cpu", torch.bfloat16):
        low = head(features, frames)
    torch.testing.assert_close(low.float(), head(features, frames), rtol=0.05, atol=0.02 if kind in POOLINGS else 0.05)
    if kind in POOLINGS:  # a margin is subtracted from the cosines, so they are float32
        assert low.dtype == torch.float32
        assert low[:, :8].norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-6)
