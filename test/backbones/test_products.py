"""Frozen linear maps with low-rank branches: outputs and gradients of the formula W x + b + s B A x."""

import pytest
import torch

from sure.backbones.layers import Linear
from sure.backbones.products import FrozenMap, frozen_products
from sure.backbones.quantised import Int8
from sure.petl.lora import LowRank


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("branches", [(), (0,), (0, 2), (0, 1, 2)])
def test_gradients_are_those_of_the_outputs(branches, bias):
    """Three maps of one input; those in `branches` have branches, of different ranks."""
    torch.manual_seed(1)
    shapes = (2, 3, 5), (4,), *[shape for map in range(3) for shape in ((1 + map, 5), (4, 1 + map))]
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    weights = torch.randn(3, 4, 5, dtype=torch.float64)

    def outputs(input, bias_vector, *factors):
        return frozen_products(
            input,
            [
                FrozenMap(lambda map=map: weights[map], bias_vector * (map + 1) if bias else None,
                          factors[2 * map :][:2] if map in branches else None)
                for map in range(3)
            ],
        )  # fmt: skip

    assert torch.autograd.gradcheck(outputs, tensors)
    input, bias_vector, *factors = tensors
    for map, found in enumerate(outputs(*tensors)):
        a, b = factors[2 * map :][:2]
        wanted = input @ weights[map].T + bias * (map + 1) * bias_vector + (map in branches) * input @ a.T @ b.T
        assert torch.allclose(found, wanted)


@pytest.mark.parametrize("precision", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("stored", ["weight", "trained", "int8"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("bias", [True, False])
def test_attached_low_rank_branches_are_their_formula(bias, dropout, stored, precision):
    """Two at one map. The reference is plain autograd; precision float64, or autocast to bfloat16."""
    torch.manual_seed(2)
    autocast = precision == torch.bfloat16
    dtype, tolerance = (torch.float32, 0.03) if autocast else (torch.float64, 1e-12)
    host = Linear(16, 24, bias).to(dtype).requires_grad_(stored == "trained")
    modules = torch.nn.ModuleList([LowRank(16, 24, 4, 1.5, 0.0), LowRank(16, 24, 3, 0.5, dropout)]).to(dtype)
    for module in modules:
        torch.nn.init.normal_(module.b)
    weight = host.weight
    if stored == "int8":
        host.quantised, host.weight = Int8(host.weight), None
        weight = host.quantised.dequantise().to(dtype)
    host.slot.attached.update(dict(zip("ab", modules, strict=True)))
    input = torch.randn(2, 7, 16, dtype=dtype, requires_grad=True)
    tensors = [input, *modules.parameters()] + [weight] * (stored == "trained")

    def results(output):
        return [output, *torch.autograd.grad(output.to(dtype).square().sum(), tensors)]

    torch.manual_seed(3)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = results(host(input))
    torch.manual_seed(3)
    first, second = modules
    dropped = torch.nn.functional.dropout(input.to(precision), dropout).to(dtype)  # draws the same numbers
    wanted = torch.nn.functional.linear(input, weight, host.bias)
    wanted = wanted + 1.5 * input @ first.a.T @ first.b.T + 0.5 * dropped @ second.a.T @ second.b.T
    for one, other in zip(found, results(wanted), strict=True):
        assert (one - other).norm() <= tolerance * other.norm()
