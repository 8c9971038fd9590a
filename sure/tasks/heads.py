"""Heads for classification and CTC: from the features of a backbone to the outputs of a task."""

from __future__ import annotations

from torch import Tensor, nn

from sure.frames import Frames


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
