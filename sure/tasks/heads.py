"""Heads for classification, CTC and speaker embeddings: from the features of a backbone to the outputs of a task."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sure.frames import Frames

Pooling = Literal["mean", "statistics", "attentive"]
LEAST_VARIANCE = 1e-8  # the gradient of the square root is infinite at 0, the variance of a single frame


class ClassificationHead(nn.Module):
    """Linear map to 256, mean over valid frames, linear map to the labels of all output groups.

    The head of SUPERB (arXiv 2105.01051) and SURE (arXiv 2303.03267): 256 (width + 1) + 257 labels parameters.
    """

    HIDDEN = 256

    def __init__(self, width: int, labels: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(width, self.HIDDEN)
        self.output = nn.Linear(self.HIDDEN, labels)

    def forward(self, features: Tensor, frames: Frames) -> Tensor:
        """features (batch, time, width) -> logits (batch, labels); an utterance without frames has a mean of zero."""
        # Padding is zeroed first: a NaN there would reach the gradient of the weights.
        hidden = self.projection(self.dropout(frames.fill(features)))
        return self.output(frames.mean(hidden.float()).to(hidden.dtype))


class CtcHead(nn.Module):
    """Linear map from each frame to the tokens, blank included: (width + 1) * tokens parameters."""

    def __init__(self, width: int, tokens: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, tokens)

    def forward(self, features: Tensor, frames: Frames) -> Tensor:
        """features (batch, time, width) -> logits (batch, time, tokens)."""
        return self.output(self.dropout(frames.fill(features)))


class EmbeddingHead(nn.Module):
    """Pooling over valid frames, a linear map to the embedding, and a vector of the same size for every speaker.

    pooling: mean; statistics, mean and standard deviation (x-vectors, Snyder et al., ICASSP 2018); attentive, the same
    two weighted by attention (Okabe et al., arXiv 1803.10963).
    """

    def __init__(self, width: int, speakers: int, embedding: int, pooling: Pooling, dropout: float = 0.0):
        super().__init__()
        self.embedding = embedding
        self.deviation = pooling != "mean"
        self.attention = Attention(width) if pooling == "attentive" else None
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(width * (1 + self.deviation), embedding)
        self.speakers = nn.Parameter(nn.init.xavier_normal_(torch.empty(speakers, embedding)))

    def forward(self, features: Tensor, frames: Frames) -> Tensor:
        """features (batch, time, width) -> (batch, embedding + speakers): the embedding, of unit length, then cosines.

        The cosines are those of the embedding and the vector of each speaker.
        """
        features = frames.fill(features)  # as above
        weights = (self.attention or uniform_weights)(features, frames)
        mean, deviation = weighted_statistics(features.float(), weights)
        pooled = torch.cat([mean, deviation], 1) if self.deviation else mean
        embedding = self.projection(self.dropout(pooled))
        with torch.autocast(features.device.type, enabled=False):  # bfloat16 is too coarse for a margin of cosines
            embedding = F.normalize(embedding.float(), dim=1)
            cosines = F.linear(embedding, F.normalize(self.speakers.float(), dim=1))
        return torch.cat([embedding, cosines], 1)


class Attention(nn.Module):
    """Linear map, tanh, linear map to one score for each frame, softmax over valid frames."""

    HIDDEN = 128

    def __init__(self, width: int):
        super().__init__()
        self.hidden = nn.Linear(width, self.HIDDEN)
        self.score = nn.Linear(self.HIDDEN, 1, bias=False)  # a bias would not change the softmax

    def forward(self, features: Tensor, frames: Frames) -> Tensor:
        """features (batch, time, width) -> weights (batch, time), zero in the padding."""
        scores = self.score(torch.tanh(self.hidden(features)))[..., 0].float()
        weights = frames.fill(scores, torch.finfo(scores.dtype).min).softmax(1)
        return frames.fill(weights)  # also for an utterance without frames


def uniform_weights(features: Tensor, frames: Frames) -> Tensor:
    """Weights (batch, time): 1 / number of frames on valid frames, 0 on padding."""
    valid = frames.mask(features.device).float()
    return valid / valid.sum(1, keepdim=True).clamp(min=1.0)


def weighted_statistics(features: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """features (batch, time, width), weights (batch, time) -> mean and standard deviation, (batch, width) each."""
    weights = weights[..., None]
    mean = (weights * features).sum(1)
    variance = (weights * (features - mean[:, None]).square()).sum(1)
    return mean, variance.clamp(min=LEAST_VARIANCE).sqrt()
