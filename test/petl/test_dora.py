"""DoRA is the one of PEFT: the same output, the same gradients."""

import peft
import pytest
import torch
from torch import nn

from sure.backbones.base import Site
from sure.petl import dora


@pytest.mark.parametrize("bias", [True, False])
def test_equals_peft(bias):
    torch.manual_seed(0)
    ours_host, theirs = nn.Linear(12, 20, bias=bias), nn.Sequential(nn.Linear(12, 20, bias=bias))
    theirs[0].load_state_dict(ours_host.state_dict())
    ours_host.requires_grad_(False)
    settings = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["0"], use_dora=True)
    theirs = peft.get_peft_model(theirs, settings).base_model.model[0]
    method = dora.Method(dora.Method.Config(rank=4, alpha=8.0))
    ours = method.build(Site("layer.0.attn.q", "linear", 12, 20, 0, ours_host))
    magnitude = theirs.lora_magnitude_vector["default"].weight
    with torch.no_grad():
        for mine, other in ((ours.a, theirs.lora_A["default"].weight), (ours.b, theirs.lora_B["default"].weight)):
            other.copy_(mine.normal_())
        magnitude.copy_(ours.magnitude.normal_(mean=2.0))
    input, gradient = torch.randn(2, 7, 12), torch.randn(2, 7, 20)
    found, wanted = ours(input, ours_host(input), None), theirs(input)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    found.backward(gradient)
    wanted.backward(gradient)
    pairs = [
        (ours.a, theirs.lora_A["default"].weight),
        (ours.b, theirs.lora_B["default"].weight),
        (ours.magnitude, magnitude),
    ]
    for mine, other in pairs:
        torch.testing.assert_close(mine.grad, other.grad, atol=1e-4, rtol=1e-4)
