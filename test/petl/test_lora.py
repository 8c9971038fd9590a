"""LoRA's own backward pass gives what autograd would."""

import pytest
import torch

from sure.petl.lora import LowRank
from sure.petl.low_rank_product import AddLowRank


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    sizes = [(7, 5), (7, 6), (3, 5), (6, 3)]
    inputs = [torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in sizes]
    assert torch.autograd.gradcheck(lambda *tensors: AddLowRank.apply(*tensors, 1.7), inputs)


@pytest.mark.parametrize("autocast", [False, True])
def test_equals_the_formula(autocast):
    torch.manual_seed(0)
    module = LowRank(16, 24, rank=4, scale=1.5, dropout=0.0)
    torch.nn.init.normal_(module.b)
    input, output = torch.randn(2, 9, 16, requires_grad=True), torch.randn(2, 9, 24, requires_grad=True)
    wanted = output + 1.5 * (input @ module.a.t()) @ module.b.t()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = module(input, output.to(torch.bfloat16) if autocast else output, None)
    tolerance = {"atol": 0.2, "rtol": 0.05} if autocast else {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close(found.float(), wanted, **tolerance)
    leaves = [input, output, module.a, module.b]
    ours = torch.autograd.grad(found.float().square().sum(), leaves)
    theirs = torch.autograd.grad(wanted.square().sum(), leaves)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.dtype == other.dtype
        assert torch.nn.functional.cosine_similarity(mine.flatten(), other.flatten(), dim=0) > 0.995
