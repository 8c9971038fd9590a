"""Alignment of phones and frames, learned from phones and mels only (One TTS Alignment, arXiv 2108.10447)."""

from functools import lru_cache

import numpy as np
import torch
from scipy.special import betaln, gammaln
from torch import Tensor, nn

from sure.backbones.fastspeech2_parts import over_frames
from sure.backbones.layers import linear
from sure.frames import Frames

BLANK = -1.0  # score of the CTC blank, as in the code of the paper
FAR = -1e4  # log-probability of an impossible phone; with -inf, gradients would be NaN


class Aligner(nn.Module):
    """Scores of phones for frames: -temperature * |mel - spectrum(phone)|^2 (equation 1).

    The paper compares mels and phones in a learned space, in which a few phones can win nearly all frames. Here each
    phone predicts a mel spectrum, trained by the loss `match`, as in Glow-TTS (arXiv 2005.11129, section 3.1). On 18
    minutes of speech, this gave complete alignments after 500 steps, the learned space did not.
    """

    def __init__(self, dim: int, mels: int, width: int, temperature: float):
        super().__init__()
        self.temperature = temperature
        self.hidden = linear(dim, width, 3)
        self.spectrum = linear(width, mels)

    def forward(self, phones: Tensor, positions: Frames, mels: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (batch, frames, phones), FAR for padded phones, and spectra (batch, phones, mels).

        phones: (batch, phones, dim); positions: valid phones; mels: (batch, frames, mels), normalised;
        prior: (batch, frames, phones), from `alignment_prior`.
        """
        spectra = self.spectrum(torch.relu(self.hidden(phones, positions)), positions)
        distances = mels.square().sum(2)[:, :, None] + spectra.square().sum(2)[:, None] - 2 * mels @ spectra.mT
        scores = positions.fill(-self.temperature * distances, FAR, dim=2).log_softmax(2) + prior
        return positions.fill(scores, FAR, dim=2), spectra


@lru_cache(maxsize=4096)
def alignment_prior(phones: int, frames: int, scale: float = 1.0) -> Tensor:
    """(frames, phones): beta-binomial log-probability of each phone at each frame, highest near the diagonal.

    scale: the larger, the narrower the prior (omega of the paper, section 2.3).
    """
    number, frame = np.arange(phones)[None], np.arange(1, frames + 1)[:, None]
    alpha, beta, last = scale * frame, scale * (frames + 1 - frame), phones - 1
    choices = gammaln(last + 1) - gammaln(number + 1) - gammaln(last - number + 1)
    logs = choices + betaln(number + alpha, last - number + beta) - betaln(alpha, beta)
    return torch.from_numpy(logs.astype(np.float32))


def forward_sum(scores: Tensor, positions: Frames, frames: Frames) -> Tensor:
    """-log of the probability of all monotonic alignments, divided by frames (batch,) (equations 2 and 3).

    Computed as CTC over phones, whose blank has a fixed score: without it, a few phones win nearly all frames.
    scores: from `Aligner`; positions: valid phones.
    """
    logs = nn.functional.pad(scores.float(), (1, 0), value=BLANK).log_softmax(2).transpose(0, 1)
    targets = torch.arange(1, scores.shape[2] + 1, device=scores.device).expand(len(scores), -1)
    lengths = frames.lengths, positions.lengths
    losses = nn.functional.ctc_loss(logs, targets, *lengths, reduction="none", zero_infinity=True)
    return losses / frames.lengths.to(losses)


def match(spectra: Tensor, mels: Tensor, path: Tensor, frames: Frames) -> Tensor:
    """Mean squared distance (batch,) between mels and the spectra (batch, phones, mels) of the phones on the path."""
    return frames.mean((mels - over_frames(spectra.float(), path)).square().mean(2))


def binarisation(scores: Tensor, path: Tensor, frames: Frames) -> Tensor:
    """-log of the probability of the hard path in the soft alignment, divided by frames (batch,) (equation 5).

    path: (batch, frames), index of each frame's phone.
    """
    logs = scores.float().log_softmax(2).gather(2, path[:, :, None]).squeeze(2)
    return -frames.mean(logs)


def monotonic_search(scores: Tensor, positions: Frames, frames: Frames) -> Tensor:
    """Durations (batch, phones) int64 in frames, on the CPU, of the best path; every phone gets at least one frame.

    scores: (batch, frames, phones), with at least as many frames as phones; positions: valid phones.
    """
    logs = scores.detach().float().cpu().numpy()
    batch, time, width = logs.shape
    value = np.full((batch, width), -np.inf, dtype=np.float32)
    value[:, 0] = logs[:, 0, 0]
    moved = np.zeros((time, batch, width), dtype=bool)  # whether the best path comes from the previous phone
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
