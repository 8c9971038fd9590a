"""The embedding head: its statistics, and that neither padding nor a single frame does harm."""

import pytest
import torch
import torch.nn.functional as F

from sure.frames import Frames
from sure.tasks.pooling import EmbeddingHead

POOLINGS = ["mean", "statistics", "attentive"]


def make(pooling, width=16, **options):
    torch.manual_seed(0)
    return EmbeddingHead(width, speakers=3, embedding=8, pooling=pooling, **options)


@pytest.mark.parametrize("pooling, parameters", [("mean", 768), ("statistics", 1536), ("attentive", 1536)])
def test_parameters_on_a_base_backbone(pooling, parameters):
    head = EmbeddingHead(768, speakers=107, embedding=256, pooling=pooling)
    attention = 769 * 128 + 128 if pooling == "attentive" else 0
    assert sum(one.numel() for one in head.parameters()) == 256 * (parameters + 1) + 256 * 107 + attention


def by_hand(head, frames):
    """The head's output of one utterance, (frames, width), in the words of the papers."""
    weights = torch.full((len(frames),), 1 / len(frames))
    if head.attention is not None:
        weights = head.attention.score(torch.tanh(head.attention.hidden(frames)))[:, 0].softmax(0)
    mean = weights @ frames
    deviation = (weights @ frames**2 - mean**2).sqrt()
    embedding = head.projection(torch.cat([mean, deviation]) if head.deviation else mean)
    embedding = embedding / embedding.norm()
    return torch.cat([embedding, F.cosine_similarity(embedding, head.speakers)])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_outputs_are_the_embedding_and_its_cosines(pooling):
    head, features = make(pooling), torch.randn(2, 9, 16)
    outputs = head(features, Frames([9, 5]))
    assert outputs.shape == (2, 8 + 3)
    torch.testing.assert_close(outputs[0], by_hand(head, features[0]))
    torch.testing.assert_close(outputs[1], by_hand(head, features[1, :5]))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("padding", [0.0, 1e4, float("nan"), float("inf")])
def test_padded_equals_alone(pooling, padding):
    head = make(pooling, dropout=0.5).eval()
    lengths = [9, 4, 1]
    features = 30 + 5 * torch.randn(3, 9, 16)
    for row, length in enumerate(lengths):
        features[row, length:] = padding
    together = head(features, Frames(lengths))
    for row, length in enumerate(lengths):
        alone = head(features[row : row + 1, :length], Frames([length]))[0]
        torch.testing.assert_close(together[row], alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_reaches_no_gradient(pooling):
    gradients = []
    for padding in (0.0, float("nan")):
        head = make(pooling)
        features = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(2))
        features[1, 3:] = padding
        features.requires_grad_()
        head(features, Frames([5, 3]))[:, 8:].sum().backward()
        assert (features.grad[1, 3:] == 0).all() and (features.grad[1, :3] != 0).all()
        gradients.append([features.grad, *(parameter.grad for parameter in head.parameters())])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)


@pytest.mark.parametrize("frames", ["one", "equal", "none"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_frames_without_deviation_are_finite(pooling, frames):
    """A root's slope at 0 is infinite, and 0 / 0 is not a number."""
    head = make(pooling)
    features = torch.randn(2, 4, 16)
    features[1] = features[1, :1]
    features.requires_grad_()
    outputs = head(features, Frames([4, {"one": 1, "equal": 4, "none": 0}[frames]]))
    outputs[:, 8:].square().sum().backward()
    gradients = [features.grad, *(parameter.grad for parameter in head.parameters())]
    assert outputs.isfinite().all() and all(gradient.isfinite().all() for gradient in gradients)
    assert outputs[:, :8].norm(dim=1).tolist() == pytest.approx([1, 1])
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_autocast(pooling):
    head = make(pooling, width=64)
    features, lengths = torch.randn(2, 300, 64), [300, 17]
    with torch.autocast("cpu", torch.bfloat16):
        low = head(features, Frames(lengths))
    assert low.dtype == torch.float32  # cosines, of which a margin is taken
    torch.testing.assert_close(low, head(features, Frames(lengths)), rtol=0.05, atol=0.02)
    assert low[:, :8].norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-6)
