"""Products of frozen linear maps, and of a low-rank branch added to them, without sums of large tensors."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def frozen_product(
    input: Tensor, weight: Callable[[], Tensor], bias: Tensor | None, branch: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """input W^T + bias, with branch (A, B) also + (input A^T) B^T; in the type of `input`.

    input: (batch, time, width_in) -> (batch, time, width_out)
    weight: returns the frozen W (width_out, width_in); called again in the backward pass, which stores no W.
    branch: A (rank, width_in) and B (width_out, rank)
    """
    dtype = input.dtype
    a, b = (None, None) if branch is None else (each.to(dtype) for each in branch)
    return FrozenProduct.apply(input, lambda: weight().to(dtype), None if bias is None else bias.to(dtype), a, b)


class FrozenProduct(torch.autograd.Function):
    """`frozen_product`, all tensors in one type. Each sum is accumulated in the memory of its first product."""

    @staticmethod
    def forward(
        ctx, input: Tensor, weight: Callable[[], Tensor], bias: Tensor | None, a: Tensor | None, b: Tensor | None
    ) -> Tensor:
        ctx.weight = weight
        output = nn.functional.linear(input, weight(), bias)
        if a is not None:
            low = a @ input.flatten(0, -2).t()  # (rank, frames): faster than its transpose
            output.view(-1, output.shape[-1]).addmm_(low.t(), b.t())
            trains = ctx.needs_input_grad[3] or ctx.needs_input_grad[4]
            ctx.save_for_backward(*((input, low) if trains else (None, None)), a, b)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        for_input, _, for_bias, for_a, for_b = ctx.needs_input_grad
        saved = ctx.saved_tensors  # read once, as recomputed layers require
        shape, gradient = gradient.shape, gradient.flatten(0, -2)
        input_gradient = a_gradient = b_gradient = None
        if saved:
            input, low, a, b = saved
            low_gradient = b.t() @ gradient.t()
            if for_input:
                input_gradient = (low_gradient.t() @ a).addmm_(gradient, ctx.weight())
            if for_a:
                a_gradient = low_gradient @ input.flatten(0, -2)
            if for_b:
                b_gradient = (low @ gradient).t()
        elif for_input:
            input_gradient = gradient @ ctx.weight()
        return (
            None if input_gradient is None else input_gradient.unflatten(0, shape[:-1]),
            None,
            gradient.sum(0) if for_bias else None,
            a_gradient,
            b_gradient,
        )
