"""A fast low-rank product for LoRA: the thin matrix products are computed in the orientation that runs fastest."""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def add_low_rank(output: Tensor, input: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """output + scale * (input A^T) B^T, in the type of `output`.

    output (batch, time, width_out), input (batch, time, width_in), a (rank, width_in), b (width_out, rank)
    """
    dtype = output.dtype
    flat_input, flat_output = input.to(dtype).flatten(0, -2), output.flatten(0, -2)
    return AddLowRank.apply(flat_input, flat_output, a.to(dtype), b.to(dtype), scale).view_as(output)


class AddLowRank(torch.autograd.Function):
    """`add_low_rank` with a backward pass of its own.

    In autograd's order some of the six thin products run several times slower than their transposes.
    """

    @staticmethod
    def forward(ctx, input: Tensor, output: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
        """input (frames, width_in), output (frames, width_out), a (rank, width_in), b (width_out, rank); one dtype"""
        low = a @ input.t()
        ctx.save_for_backward(input, low, a, b)
        ctx.scale = scale
        return torch.addmm(output, low.t(), b.t(), alpha=scale)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        input, low, a, b = ctx.saved_tensors
        low_gradient = ctx.scale * (b.t() @ gradient.t())
        input_gradient = low_gradient.t() @ a if ctx.needs_input_grad[0] else None
        return input_gradient, gradient, low_gradient @ input, ctx.scale * (low @ gradient).t(), None
