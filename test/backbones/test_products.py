"""Frozen linear maps with low-rank branches: outputs and gradients of the formula W x + b + s B A x."""

import pytest
import torch

from sure.backbones.layers import Attention, Layer, Linear
from sure.backbones.products import FrozenMap, Origin, frozen_products
from sure.backbones.quantised import Int8
from sure.frames import Frames
from sure.petl.lora import LowRank


@pytest.mark.parametrize("origin", [None, torch.nn.functional.gelu])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("branches", [(), (0,), (0, 2), (0, 1, 2)])
def test_gradients_are_those_of_the_outputs(branches, bias, origin):
    """Three maps of one input; those in `branches` have branches, of different ranks.

    origin: the function that computes the input again in the backward pass.
    """
    torch.manual_seed(1)
    shapes = (2, 3, 5), (4,), *[shape for map in range(3) for shape in ((1 + map, 5), (4, 1 + map))]
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    weights = torch.randn(3, 4, 5, dtype=torch.float64)

    def outputs(input, bias_vector, *factors):
        return frozen_products(
            origin(input) if origin else input,
            [
                FrozenMap(lambda map=map: weights[map], bias_vector * (map + 1) if bias else None,
                          factors[2 * map :][:2] if map in branches else None)
                for map in range(3)
            ],
            Origin(origin, input) if origin else None,
        )  # fmt: skip

    assert torch.autograd.gradcheck(outputs, tensors)
    input, bias_vector, *factors = tensors
    found_outputs = outputs(*tensors)
    input = origin(input) if origin else input
    for map, found in enumerate(found_outputs):
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


def test_a_layer_stores_its_hidden_units_once():
    """Before the activation alone: 3 (the maps' ranks) and 16 (the layer's width) are the other widths."""
    layer = Layer(Attention(16, 2), 16, 40, norm_first=True).requires_grad_(False)
    for map in (layer.ffn_in, layer.ffn_out):
        map.slot.attached["lora"] = LowRank(map.in_features, map.out_features, 3, 1.0, 0.0)
    stored = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: stored.append(tensor) or tensor, lambda tensor: tensor
    ):
        layer(torch.randn(2, 7, 16, requires_grad=True), Frames([7, 7]))
    assert len({tensor.data_ptr() for tensor in stored if tensor.shape == (2, 7, 40)}) == 1
