"""The CTC loss with a gradient that is the same in every run on a GPU.

PyTorch adds up its gradient on a GPU in an order that differs from run to run. Here both directions of the recursion
(Graves et al., ICML 2006, section 4.1) are calls of PyTorch's forward pass, the second one on reversed sequences, and
the sum over states is a matrix product.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import pad_sequence


def repeatable_ctc(logs: Tensor, targets: Sequence[Tensor], lengths: Tensor, blank: int) -> Tensor:
    """-log p(target) (batch,); 0, without gradient, for a target longer than its frames.

    logs (time, batch, tokens): log probabilities. targets: token ids (size,) of each utterance, on the CPU.
    lengths: frames (batch,), on the CPU.
    """
    sizes = torch.tensor([len(target) for target in targets])
    padded = pad_sequence([*targets, targets[0].new_zeros(1)], batch_first=True)[:-1]  # one column at least
    return RepeatableCtc.apply(logs, padded, lengths, sizes, blank)


class RepeatableCtc(torch.autograd.Function):
    """`repeatable_ctc`; targets (batch, longest), sizes (batch,): tokens of each target."""

    @staticmethod
    def forward(ctx, logs: Tensor, targets: Tensor, lengths: Tensor, sizes: Tensor, blank: int) -> Tensor:
        device, time, states = logs.device, len(logs), 2 * int(sizes.max()) + 1
        back_in_time, back_in_target, back_in_states = (
            _reversal(counts, count).to(device, non_blocking=True)
            for counts, count in ((lengths, time), (sizes, targets.shape[1]), (2 * sizes + 1, states))
        )
        targets = targets.to(device, non_blocking=True)
        limits = lengths.tolist(), sizes.tolist(), blank
        losses, forward = torch._ctc_loss(logs, targets, *limits)
        forward = forward[:, :, :states]  # PyTorch may return more
        reversed_logs = logs.gather(0, back_in_time.t()[..., None].expand_as(logs))
        _, backward = torch._ctc_loss(reversed_logs, targets.gather(1, back_in_target), *limits)
        backward = backward[:, :, :states]
        backward = backward.gather(1, back_in_time[..., None].expand_as(backward))
        backward = backward.gather(2, back_in_states[:, None].expand_as(backward))
        symbols = targets.new_full((len(targets), states), blank)
        symbols[:, 1::2] = targets[:, : states // 2]
        emitted = logs.transpose(0, 1).gather(2, symbols[:, None].expand(-1, time, -1))
        possible = losses.isfinite()
        inside = torch.arange(time) < lengths[:, None], torch.arange(states) <= 2 * sizes[:, None]
        frame, state = (each.to(device, non_blocking=True) for each in inside)
        used = frame[:, :, None] & state[:, None, :] & possible[:, None, None]
        logs_of_states = forward + backward - emitted + losses[:, None, None]
        posteriors = torch.where(used, logs_of_states, float("-inf")).exp()
        of_symbols = nn.functional.one_hot(symbols, logs.shape[2]).to(posteriors.dtype)
        ctx.save_for_backward(posteriors @ of_symbols)
        return torch.where(possible, losses, 0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (posteriors,) = ctx.saved_tensors  # of each token, (batch, time, tokens)
        return -(posteriors * gradient[:, None, None]).transpose(0, 1), None, None, None, None


def _reversal(counts: Tensor, size: int) -> Tensor:
    """(batch, size): positions in reversed order up to `counts` (batch,), then unchanged."""
    positions = torch.arange(size).expand(len(counts), -1)
    turned = counts[:, None] - 1 - positions
    return torch.where(turned >= 0, turned, positions)
