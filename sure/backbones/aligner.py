"""Which phone each frame belongs to, learned from mels and phones alone (One TTS Alignment, arXiv 2108.10447)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy.special import betaln, gammaln
from torch import Tensor, nn

from sure.backbones.layers import linear

FAR = -1e4  # log-probability of what cannot be; infinite ones would make gradients NaN


class Aligner(nn.Module):
    """Scores of phones for frames: -temperature * |q(mel) - k(phone)|^2 over learned projections (equation 1)."""

    def __init__(self, dim: int, mels: int, width: int, temperature: float):
        super().__init__()
        self.temperature = temperature
        self.phone_maps = nn.ModuleList([linear(dim, 2 * dim, 3), linear(2 * dim, width)])
        self.mel_maps = nn.ModuleList([linear(mels, 2 * mels, 3), linear(2 * mels, mels), linear(mels, width)])

    def forward(
        self, phones: Tensor, phone_mask: Tensor | None, mels: Tensor, mel_mask: Tensor | None, prior: Tensor
    ) -> Tensor:
        """Scores (batch, frames, phones), FAR where there is no phone.

        phones (batch, phones, dim), mels (batch, frames, mels), masks (batch, phones) and (batch, frames);
        prior (batch, frames, phones), logarithms: `alignment_prior`.
        """
        keys, queries = _through(self.phone_maps, phones, phone_mask), _through(self.mel_maps, mels, mel_mask)
        distances = queries.square().sum(2)[:, :, None] + keys.square().sum(2)[:, None] - 2 * queries @ keys.mT
        scores = _without(-self.temperature * distances, phone_mask).log_softmax(2) + prior
        return _without(scores, phone_mask)


def _through(maps: nn.ModuleList, hidden: Tensor, mask: Tensor | None) -> Tensor:
    for index, each in enumerate(maps):
        hidden = each(torch.relu(hidden) if index else hidden, mask)
    return hidden


def _without(scores: Tensor, phone_mask: Tensor | None) -> Tensor:
    return scores if phone_mask is None else scores.masked_fill(~phone_mask[:, None], FAR)


@lru_cache(maxsize=4096)
def alignment_prior(phones: int, frames: int, scale: float = 1.0) -> Tensor:
    """(frames, phones): log of the beta-binomial probability of each phone at a frame, near the diagonal.

    scale: the larger, the narrower (omega of the paper, section 2.3).
    """
    number, frame = np.arange(phones)[None], np.arange(1, frames + 1)[:, None]
    alpha, beta, last = scale * frame, scale * (frames + 1 - frame), phones - 1
    choices = gammaln(last + 1) - gammaln(number + 1) - gammaln(last - number + 1)
    logs = choices + betaln(number + alpha, last - number + beta) - betaln(alpha, beta)
    return torch.from_numpy(logs.astype(np.float32))


def forward_sum(scores: Tensor, phones: Tensor, frames: Tensor) -> Tensor:
    """-log of the probability of all monotonic alignments, a frame, (batch,) (equations 2 and 3).

    It is CTC with a blank that cannot be. The paper's code gives the blank a score, as if a frame could be of no phone:
    then each phone is found in one frame, and the rest is left to the blank.
    scores as of `Aligner`; phones, frames (batch,) lengths, on the CPU.
    """
    logs = nn.functional.pad(scores.float().log_softmax(2), (1, 0), value=FAR).transpose(0, 1)
    targets = torch.arange(1, scores.shape[2] + 1, device=scores.device).expand(len(scores), -1)
    losses = nn.functional.ctc_loss(logs, targets, frames.cpu(), phones.cpu(), reduction="none", zero_infinity=True)
    return losses / frames.to(losses)


def binarisation(scores: Tensor, path: Tensor, frame_mask: Tensor | None) -> Tensor:
    """-log of the probability of the hard path under the soft alignment, a frame, (batch,) (equation 5).

    path (batch, frames): the number of each frame's phone.
    """
    logs = scores.float().log_softmax(2).gather(2, path[:, :, None]).squeeze(2)
    if frame_mask is None:
        return -logs.mean(1)
    return -(logs * frame_mask).sum(1) / frame_mask.sum(1)


def monotonic_search(scores: Tensor, phones: Tensor, frames: Tensor) -> Tensor:
    """Frames of each phone, (batch, phones) int64 on the CPU, on the best path that leaves out no phone and no frame.

    scores (batch, frames, phones); phones, frames (batch,) lengths, with at least a frame for each phone. A row sums
    to its frames.
    """
    logs = scores.detach().float().cpu().numpy()
    batch, time, width = logs.shape
    value = np.full((batch, width), -np.inf, dtype=np.float32)
    value[:, 0] = logs[:, 0, 0]
    moved = np.zeros((time, batch, width), dtype=bool)  # whether the best way here comes from the phone before
    before = np.full_like(value, -np.inf)
    for frame in range(1, time):
        before[:, 1:] = value[:, :-1]
        np.greater(before, value, out=moved[frame])
        value = np.maximum(before, value) + logs[:, frame]
    durations = np.zeros((batch, width), dtype=np.int64)
    rows, phone, ends = np.arange(batch), phones.numpy() - 1, frames.numpy()
    for frame in range(time - 1, -1, -1):
        inside = frame < ends
        durations[rows[inside], phone[inside]] += 1
        phone = phone - (inside & moved[frame, rows, phone])
    return torch.from_numpy(durations)
