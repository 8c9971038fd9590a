"""Convolutions of windows of frames compared with PyTorch's convolution."""

import pytest
import torch
from torch import nn

from sure.backbones.convolution import ConvolutionBlock, GroupNorm, convolve
from sure.frames import Frames


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


@pytest.mark.parametrize("trains", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_group_norm_is_that_of_each_utterance_alone(dtype, trains):
    torch.manual_seed(0)
    norm = GroupNorm(4, 8).requires_grad_(trains)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    input = (3 + torch.randn(3, 19, 8).transpose(1, 2)).to(dtype)  # the memory layout of `convolve`
    lengths = [19, 11, 5]
    wanted = [
        nn.functional.group_norm(row[None, :, :length].float(), 4, norm.weight, norm.bias)
        for row, length in zip(input.clone(), lengths, strict=True)
    ]
    found = norm(input, Frames(lengths))
    assert found.dtype == dtype and found.requires_grad == trains and (found is input) != trains
    rounding = 0.02 if dtype == torch.bfloat16 else 1e-5
    for row, one, length in zip(found, wanted, lengths, strict=True):
        torch.testing.assert_close(row[None, :, :length].float(), one, rtol=rounding, atol=rounding)


@pytest.mark.parametrize("norm", [None, GroupNorm(8, 8)])
def test_a_frozen_block_leaves_its_input_and_has_the_outputs_of_a_trained_one(norm):
    torch.manual_seed(0)
    block = ConvolutionBlock(4, 8, 3, 2, True, norm)
    input, frames = torch.randn(2, 4, 21), Frames([10, 6])
    before, wanted = input.clone(), block(input, frames)
    found = block.requires_grad_(False)(input, frames)
    assert wanted.requires_grad and torch.equal(input, before)
    torch.testing.assert_close(found, wanted)
