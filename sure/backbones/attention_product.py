"""Scaled dot-product attention whose backward pass is fast in bfloat16 on the CPU."""

import math

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Below this number of queries, PyTorch's kernels for the CPU compute blocks of 32 queries, and the backward pass takes
# twice as long in bfloat16 as in float32 (PyTorch 2.14, Intel Xeon with AMX).
SHORT = 192


def attention_product(queries: Tensor, keys: Tensor, values: Tensor, scores: Tensor | None) -> Tensor:
    """softmax(queries keys^T / sqrt(width) + scores) values, each (batch, heads, time, width).

    scores: mask that broadcasts to (batch, heads, time of queries, time of keys), boolean or additive; or None
    """
    if torch.compiler.is_exporting():
        return plain_product(queries, keys, values, scores)
    short = queries.dtype == torch.bfloat16 and queries.device.type == "cpu" and queries.shape[2] < SHORT
    flows = torch.is_grad_enabled() and any(each.requires_grad for each in (queries, keys, values))
    fixed = scores is None or (scores.dim() == 4 and not scores.requires_grad)
    product = ShortAttention.apply if short and flows and fixed else nn.functional.scaled_dot_product_attention
    return product(queries, keys, values, scores)


def plain_product(queries: Tensor, keys: Tensor, values: Tensor, scores: Tensor | None) -> Tensor:
    """The same by its formula, for exports: the memory layout of the result must not depend on PyTorch's kernels."""
    products = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
    if scores is not None:
        products = products.masked_fill(~scores, -math.inf) if scores.dtype == torch.bool else products + scores
    return products.softmax(3) @ values


class ShortAttention(torch.autograd.Function):
    """PyTorch's attention on the CPU, the backward pass in float32. Stored tensors stay in bfloat16."""

    @staticmethod
    def forward(ctx, queries: Tensor, keys: Tensor, values: Tensor, scores: Tensor | None) -> Tensor:
        if scores is not None and scores.dtype == torch.bool:
            scores = torch.zeros_like(scores, dtype=queries.dtype).masked_fill_(~scores, -math.inf)
        context, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            queries, keys, values, attn_mask=scores
        )
        ctx.save_for_backward(queries, keys, values, context, sums, scores)
        return context

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys, values, context, sums, scores = ctx.saved_tensors
        gradients = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
            *(each.float() for each in (gradient, queries, keys, values, context)), sums, 0.0, False,
            attn_mask=None if scores is None else scores.float(),
        )  # fmt: skip
        return *(each.to(queries.dtype) for each in gradients), None
