"""Products of frozen linear maps of one input, with low-rank branches, without sums of large tensors."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class FrozenMap(NamedTuple):
    """input W^T + bias, with a branch (A, B) also + (input A^T) B^T.

    weight: returns the frozen W (width_out, width_in); called again in the backward pass, which stores no W.
    bias: (width_out,). branch: A (rank, width_in) and B (width_out, rank)
    """

    weight: Callable[[], Tensor]
    bias: Tensor | None = None
    branch: tuple[Tensor, Tensor] | None = None


class Origin(NamedTuple):
    """How an input was computed: function(tensor). Cheap, so the backward pass computes it again."""

    function: Callable[[Tensor], Tensor]
    tensor: Tensor


def frozen_products(input: Tensor, maps: Sequence[FrozenMap], origin: Origin | None = None) -> tuple[Tensor, ...]:
    """input (batch, time, width_in) -> for each map (batch, time, width_out), in the type of the input.

    origin: of the input, if its tensor is stored for the backward pass anyway; then the input is not stored.
    """

    def cast(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else tensor.to(input.dtype)

    branches = [each.branch for each in maps if each.branch is not None]
    a = torch.cat([a for a, _ in branches]) if branches else None
    biases = [cast(each.bias) for each in maps]
    bs = [None if each.branch is None else cast(each.branch[1]) for each in maps]
    return FrozenProducts.apply(input, origin, [each.weight for each in maps], cast(a), *biases, *bs)


class FrozenProducts(torch.autograd.Function):
    """`frozen_products`, all tensors in one type; `a` has the A of all branches.

    The branches share one product with the input, and each sum is accumulated in the memory of its first product.
    """

    @staticmethod
    def forward(
        ctx,
        input: Tensor,
        origin: Origin | None,
        weights: list[Callable[[], Tensor]],
        a: Tensor | None,
        *biases_and_bs: Tensor | None,
    ) -> tuple[Tensor, ...]:
        biases, bs = biases_and_bs[: len(weights)], biases_and_bs[len(weights) :]
        outputs = tuple(
            nn.functional.linear(input, weight().to(input.dtype), bias)
            for weight, bias in zip(weights, biases, strict=True)
        )
        ctx.weights = weights
        if a is not None:
            low = a @ input.flatten(0, -2).t()  # (all ranks, frames): faster than its transpose
            for output, b, part in zip(outputs, bs, low.split(ranks(bs)), strict=True):
                if b is not None:
                    output.view(-1, len(b)).addmm_(part.t(), b.t())
            ctx.function, stored = origin or (None, input)
            ctx.save_for_backward(stored, low, a, *bs)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        for_input, _, _, for_a, *others = ctx.needs_input_grad
        saved = ctx.saved_tensors  # read once, as recomputed layers require
        shape, gradients = gradients[0].shape[:-1], [each.flatten(0, -2) for each in gradients]
        input_gradient = a_gradient = None
        b_gradients: list[Tensor | None] = [None] * len(gradients)
        if saved:
            stored, low, a, *bs = saved
            pairs = list(zip(bs, gradients, strict=True))
            low_gradient = torch.cat([b.t() @ gradient.t() for b, gradient in pairs if b is not None])
            input_gradient = low_gradient.t() @ a if for_input else None
            if for_a:
                input = ctx.function(stored).to(a.dtype) if ctx.function else stored
                a_gradient = low_gradient @ input.flatten(0, -2)
            parts = low.split(ranks(bs))
            b_gradients = [
                None if b is None else (part @ each).t() for part, (b, each) in zip(parts, pairs, strict=True)
            ]
        if for_input:
            for gradient, weight in zip(gradients, ctx.weights, strict=True):
                w = weight().to(gradient.dtype)
                input_gradient = gradient @ w if input_gradient is None else input_gradient.addmm_(gradient, w)
            input_gradient = input_gradient.unflatten(0, shape)
        needed = others[: len(gradients)]
        bias_gradients = [each.sum(0) if wanted else None for each, wanted in zip(gradients, needed, strict=True)]
        return input_gradient, None, None, a_gradient, *bias_gradients, *b_gradients


def ranks(bs: Sequence[Tensor | None]) -> list[int]:
    """Ranks of the branches; 0 for a map without one."""
    return [0 if b is None else b.shape[1] for b in bs]
