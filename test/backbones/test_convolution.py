"""Convolutions of windows of frames compared with PyTorch's convolution."""

import pytest
import torch
from torch import nn

from sure.backbones.convolution import convolve


def rounded(tensor):
    return tensor.bfloat16().float()


@pytest.mark.parametrize(("channels", "kernel", "stride", "padding"), [(1, 10, 5, 0), (16, 3, 2, 0), (16, 3, 1, 1)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_frozen_convolutions(channels, kernel, stride, padding, bias, dtype):
    torch.manual_seed(0)
    convolution = nn.Conv1d(channels, 24, kernel, stride, padding, bias=bias).requires_grad_(False)
    for parameter in convolution.parameters():
        parameter.copy_(rounded(parameter))
    input = rounded(torch.randn(3, channels, 53))
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        found = convolve(convolution, input)
    assert found.dtype == dtype
    rounding = 0.01 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(found.float(), convolution(input), rtol=rounding, atol=1e-5)


@pytest.mark.parametrize("trains", ["input", "weight"])
def test_trained_convolutions_have_gradients(trains):
    convolution = nn.Conv1d(4, 6, 3).requires_grad_(trains == "weight")
    input = torch.randn(2, 4, 9, requires_grad=trains == "input")
    with torch.autocast("cpu", torch.bfloat16):
        convolve(convolution, input).float().sum().backward()
    wanted = input if trains == "input" else convolution.weight
    assert wanted.grad.abs().sum() > 0
