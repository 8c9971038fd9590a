"""What turns a backbone's features into a task's outputs."""

from __future__ import annotations

from torch import Tensor, nn

from sure.frames import Frames


class ClassificationHead(nn.Module):
    """Linear to 256, mean over the valid frames, Linear to the labels of all output groups side by side.

    The head of SUPERB (2105.01051) and SURE (2303.03267): 256 (width + 1) + 257 labels parameters.
    """

    HIDDEN = 256

    def __init__(self, width: int, labels: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(width, self.HIDDEN)
        self.output = nn.Linear(self.HIDDEN, labels)

    def forward(self, features: Tensor, frames: Frames) -> Tensor:
        """features (batch, time, width) -> logits (batch, labels).

        An utterance without frames gets the logits of a hidden vector of zeros.
        """
        # Whatever stands in the padding, NaN included, is gone before it meets a weight and its gradient.
        hidden = self.projection(self.dropout(frames.fill(features)))
        return self.output(frames.mean(hidden.float()).to(hidden.dtype))


class CtcHead(nn.Module):
    """Linear from every frame to the tokens, the blank included: (width + 1) * tokens parameters."""

    def __init__(self, width: int, tokens: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, tokens)

    def forward(self, features: Tensor, frames: Frames) -> Tensor:
        """features (batch, time, width) -> logits (batch, time, tokens)."""
        return self.output(self.dropout(frames.fill(features)))
