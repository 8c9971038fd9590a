"""The CTC loss of GPUs, computed on the CPU: the same losses and gradients as PyTorch's."""

import torch

from sure.tasks.repeatable_ctc import repeatable_ctc


def test_losses_and_gradients_are_those_of_pytorch():
    """Among the targets: an empty one, one with repeated tokens, one as long as its frames, and two that do not fit."""
    draw = torch.Generator().manual_seed(1)
    targets = [torch.randint(1, 7, (size,), generator=draw) for size in (0, 5, 12, 0, 40)]
    targets[3] = torch.arange(40) % 6 + 1
    targets += [torch.tensor([2, 2, 2]), torch.tensor([2, 2, 2])]
    lengths, sizes = torch.tensor([40, 33, 40, 40, 10, 5, 4]), torch.tensor([len(target) for target in targets])
    logits = torch.randn(40, len(targets), 7, generator=draw, dtype=torch.float64, requires_grad=True)
    shares = torch.rand(len(targets), generator=draw, dtype=torch.float64)

    expected = torch.nn.functional.ctc_loss(
        logits.log_softmax(-1), torch.cat(targets), lengths, sizes, reduction="none", zero_infinity=True
    )
    losses = repeatable_ctc(logits.log_softmax(-1), targets, lengths, blank=0)
    torch.testing.assert_close(losses, expected)
    assert (losses == 0).tolist() == [False, False, False, False, True, False, True]
    gradients = [torch.autograd.grad((found * shares).sum(), logits)[0] for found in (losses, expected)]
    torch.testing.assert_close(*gradients)


def test_a_batch_of_empty_targets():
    logs = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(1)).log_softmax(-1).requires_grad_()
    losses = repeatable_ctc(logs, [torch.zeros(0, dtype=torch.int64)] * 2, torch.tensor([5, 3]), blank=0)
    torch.testing.assert_close(losses, -torch.stack([logs[:5, 0, 0].sum(), logs[:3, 1, 0].sum()]))
