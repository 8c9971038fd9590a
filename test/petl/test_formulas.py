"""Methods against their formulas: bottlenecks, Kronecker products, LoRA's own backward pass, and PEFT's DoRA."""

import peft
import pytest
import torch
from torch import nn

from sure.backbones.base import Site
from sure.errors import SureError
from sure.petl import dora
from sure.petl.bottleneck import Bottleneck
from sure.petl.compacter import KroneckerLinear
from sure.petl.lora import LowRank
from sure.petl.low_rank_product import AddLowRank
from sure.petl.unipelt import Gated


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_bottleneck_and_gate_equal_their_formulas():
    input, output = torch.randn(2, 2, 5, 8)
    for parallel in (False, True):
        module = Bottleneck((nn.Linear(8, 3), nn.Linear(3, 8)), "tanh", 0.0, 2.0, parallel)
        hidden = torch.tanh(module.down(input if parallel else output))
        torch.testing.assert_close(module(input, output, None), output + 2 * module.up(hidden))
        gated = Gated(module, 8)
        gate = torch.sigmoid(input @ gated.gate.weight.T + gated.gate.bias)
        torch.testing.assert_close(gated(input, output, None), output + 2 * gate * module.up(hidden))


def test_compacter_equals_torch_kron():
    rules = torch.randn(3, 3, 3)
    module = KroneckerLinear(12, 6, lambda: rules, zero=False)
    nn.init.normal_(module.bias)
    weight = sum(torch.kron(rules[i], torch.outer(module.s[i], module.t[i])) for i in range(3))
    hidden = torch.randn(2, 5, 12)
    torch.testing.assert_close(module(hidden), hidden @ weight + module.bias)
    with pytest.raises(SureError, match="factors=3 does not divide the width 10"):
        KroneckerLinear(12, 10, lambda: rules, zero=False)


def test_lora_gradients_are_those_of_finite_differences():
    sizes = [(7, 5), (7, 6), (3, 5), (6, 3)]
    inputs = [torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in sizes]
    assert torch.autograd.gradcheck(lambda *tensors: AddLowRank.apply(*tensors, 1.7), inputs)


@pytest.mark.parametrize("autocast", [False, True])
def test_lora_equals_its_formula(autocast):
    module = LowRank(16, 24, rank=4, scale=1.5, dropout=0.0)
    nn.init.normal_(module.b)
    input, output = torch.randn(2, 9, 16, requires_grad=True), torch.randn(2, 9, 24, requires_grad=True)
    wanted = output + 1.5 * (input @ module.a.t()) @ module.b.t()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = module(input, output.to(torch.bfloat16) if autocast else output, None)
    tolerance = {"atol": 0.2, "rtol": 0.05} if autocast else {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close(found.float(), wanted, **tolerance)
    leaves = [input, output, module.a, module.b]
    ours, theirs = (torch.autograd.grad(each.float().square().sum(), leaves) for each in (found, wanted))
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.dtype == other.dtype
        assert torch.nn.functional.cosine_similarity(mine.flatten(), other.flatten(), dim=0) > 0.995


@pytest.mark.parametrize("bias", [True, False])
def test_dora_equals_peft(bias):
    """The same output and the same gradients."""
    host, theirs = nn.Linear(12, 20, bias=bias), nn.Sequential(nn.Linear(12, 20, bias=bias))
    theirs[0].load_state_dict(host.state_dict())
    host.requires_grad_(False)
    settings = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["0"], use_dora=True)
    theirs = peft.get_peft_model(theirs, settings).base_model.model[0]
    ours = dora.Method(dora.Method.Config(rank=4, alpha=8.0)).build(Site("layer.0.attn.q", "linear", 12, 20, 0, host))
    parts = (theirs.lora_A, theirs.lora_B, theirs.lora_magnitude_vector)
    pairs = list(zip((ours.a, ours.b, ours.magnitude), [part["default"].weight for part in parts], strict=True))
    with torch.no_grad():
        for mine, other in pairs:
            other.copy_(mine.normal_(mean=2.0 if mine is ours.magnitude else 0.0))
    input, gradient = torch.randn(2, 7, 12), torch.randn(2, 7, 20)
    found, wanted = ours(input, host(input), None), theirs(input)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    found.backward(gradient)
    wanted.backward(gradient)
    for mine, other in pairs:
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-4, rtol=1e-4)
