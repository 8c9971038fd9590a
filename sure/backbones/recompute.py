"""Layers without stored activations: each is computed a second time in the backward pass."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def layer_call(layer: nn.Module, hidden: Tensor, recompute: bool) -> Callable[..., Tensor]:
    """The function to call instead of `layer`, with the same arguments and results, bit for bit.

    hidden: (batch, time, dim), the layer's input. With `recompute`, a layer through which gradients flow stores only
    its input (arXiv 1604.06174); torch restores the random state, so that dropout draws the same numbers again.
    """
    flows = hidden.requires_grad or any(parameter.requires_grad for parameter in layer.parameters())
    if not (recompute and flows and torch.is_grad_enabled()):
        return layer
    return lambda *arguments, **context: checkpoint(layer, *arguments, use_reentrant=False, **context)
