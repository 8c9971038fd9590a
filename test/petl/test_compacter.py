"""Compacter's maps are the sums of Kronecker products of the paper."""

import pytest
import torch

from sure.errors import SureError
from sure.petl.compacter import KroneckerLinear


def test_equals_torch_kron():
    torch.manual_seed(0)
    rules = torch.randn(3, 3, 3)
    module = KroneckerLinear(12, 6, lambda: rules, zero=False)
    torch.nn.init.normal_(module.bias)
    weight = sum(torch.kron(rules[i], torch.outer(module.s[i], module.t[i])) for i in range(3))
    hidden = torch.randn(2, 5, 12)
    torch.testing.assert_close(module(hidden), hidden @ weight + module.bias)


def test_a_width_that_the_factors_do_not_divide_is_refused():
    with pytest.raises(SureError, match="factors=3 does not divide the width 10"):
        KroneckerLinear(12, 10, lambda: torch.zeros(3, 3, 3), zero=False)
