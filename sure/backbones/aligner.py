"""Which phone each frame belongs to, learned from mels and phones alone (One TTS Alignment, arXiv 2108.10447)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from scipy.special import betaln, gammaln
from torch import Tensor, nn

from sure.backbones.layers import linear
from sure.frames import Frames

BLANK = -1.0  # score of a frame of no phone, as in the paper's code
FAR = -1e4  # log-probability of what cannot be; infinite ones would make gradients NaN


class Aligner(nn.Module):
    """Scores of phones for frames: -temperature * |mel - spectrum(phone)|^2 (equation 1).

    The paper compares both in a space that is learned, where a few phones can come to stand for all frames. Here that
    space is the mels': each phone predicts its spectrum, and `match` holds it to that, as Glow-TTS does (arXiv
    2005.11129, section 3.1). On 18 minutes of speech that gave whole alignments in 500 steps, the paper's did not.
    """

    def __init__(self, dim: int, mels: int, width: int, temperature: float):
        super().__init__()
        self.temperature = temperature
        self.hidden = linear(dim, width, 3)
        self.spectrum = linear(width, mels)

    def forward(self, phones: Tensor, positions: Frames, mels: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (batch, frames, phones), FAR where there is no phone, and spectra (batch, phones, mels).

        phones (batch, phones, dim); positions: of the phones; mels (batch, frames, mels), normalised;
        prior (batch, frames, phones), logarithms: `alignment_prior`.
        """
        spectra = self.spectrum(torch.relu(self.hidden(phones, positions)), positions)
        distances = mels.square().sum(2)[:, :, None] + spectra.square().sum(2)[:, None] - 2 * mels @ spectra.mT
        scores = positions.fill(-self.temperature * distances, FAR, dim=2).log_softmax(2) + prior
        return positions.fill(scores, FAR, dim=2), spectra


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


def forward_sum(scores: Tensor, positions: Frames, frames: Frames) -> Tensor:
    """-log of the probability of all monotonic alignments, a frame, (batch,) (equations 2 and 3): CTC over phones.

    CTC's blank, a frame of no phone, has a fixed score. Without one a few phones win nearly all frames.
    scores as of `Aligner`. positions: of the phones.
    """
    logs = nn.functional.pad(scores.float(), (1, 0), value=BLANK).log_softmax(2).transpose(0, 1)
    targets = torch.arange(1, scores.shape[2] + 1, device=scores.device).expand(len(scores), -1)
    lengths = frames.lengths, positions.lengths
    losses = nn.functional.ctc_loss(logs, targets, *lengths, reduction="none", zero_infinity=True)
    return losses / frames.lengths.to(losses)


def match(spectra: Tensor, mels: Tensor, path: Tensor, frames: Frames) -> Tensor:
    """Mean squared distance (batch,) of mels to the spectra (batch, phones, mels) of the phones on the path."""
    spoken = spectra.float().gather(1, path[:, :, None].expand(-1, -1, spectra.shape[2]))
    return frames.mean((mels - spoken).square().mean(2))


def binarisation(scores: Tensor, path: Tensor, frames: Frames) -> Tensor:
    """-log of the probability of the hard path under the soft alignment, a frame, (batch,) (equation 5).

    path (batch, frames): the number of each frame's phone.
    """
    logs = scores.float().log_softmax(2).gather(2, path[:, :, None]).squeeze(2)
    return -frames.mean(logs)


def monotonic_search(scores: Tensor, positions: Frames, frames: Frames) -> Tensor:
    """Frames of each phone, (batch, phones) int64 on the CPU, on the best path that leaves out no phone and no frame.

    scores (batch, frames, phones), with at least a frame for each phone. positions: of the phones. A row sums to its
    frames.
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
    rows, phone, ends = np.arange(batch), positions.lengths.numpy() - 1, frames.lengths.numpy()
    for frame in range(time - 1, -1, -1):
        inside = frame < ends
        durations[rows[inside], phone[inside]] += 1
        phone = phone - (inside & moved[frame, rows, phone])
    return torch.from_numpy(durations)
