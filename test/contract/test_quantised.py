"""Frozen linear maps in bf16, int8 and NF4: how near outputs stay, what is refused, and that nothing else changes."""

import subprocess
import sys
from dataclasses import replace

import models
import pytest
import torch
from models import FAMILIES, METHODS, disturb
from torch import nn

from sure.backbones import wav2vec2
from sure.backbones.layers import Linear
from sure.backbones.quantised import FORMATS, NF4_LEVELS, Nf4, hidden_parameters, quantise
from sure.backbones.tiny import Family
from sure.errors import SureError

NEAR = {"bf16": 0.9999, "int8": 0.9995, "nf4": 0.97}  # least cosine with the exact outputs of a tiny random model
BYTES = {"bf16": 0.5, "int8": 0.30, "nf4": 0.18}  # at most, as a share of fp32
READ_WEIGHTS = ("dora", "full")


def build(folder, petl, format, family="wav2vec2"):
    return models.build(folder, petl, family, frozen_weights=format)[1]


def size(module):
    return sum(each.numel() * each.element_size() for each in (*module.parameters(), *module.buffers()))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("shape", [(96, 128), (7, 9)])
def test_weights_are_near_and_small(format, shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    made = FORMATS[format](weight)
    steps = {"bf16": weight.abs() / 256, "int8": weight.abs().amax(1, keepdim=True) / 254}
    step = steps.get(format, 0.16 * weight.abs().max())
    assert ((made.dequantise() - weight).abs() <= step * 1.001).all()
    if shape == (96, 128):
        assert size(made) - (size_of_pairs(made)) <= BYTES[format] * weight.numel() * 4
    assert torch.equal(FORMATS[format](torch.zeros(shape)).dequantise(), torch.zeros(shape))


def size_of_pairs(made):
    return made.pairs.numel() * 4 if isinstance(made, Nf4) else 0


def test_every_level_of_nf4_is_kept():
    weight = torch.tensor(NF4_LEVELS).repeat(3, 4)
    assert torch.equal(Nf4(5 * weight).dequantise(), 5 * weight)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_product_and_its_gradient(format, dtype):
    torch.manual_seed(1)
    made, input, direction = FORMATS[format](torch.randn(5, 64)), torch.randn(2, 3, 64), torch.randn(2, 3, 5)
    found, wanted = input.clone().requires_grad_(), input.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32):
        output, exact = made(found), nn.functional.linear(wanted, made.dequantise().float())
    (output * direction).sum().backward()
    (exact * direction).sum().backward()
    assert output.dtype == dtype and torch.equal(output, exact)
    torch.testing.assert_close(found.grad, wanted.grad, rtol=1e-2 if dtype != torch.float32 else 1e-5, atol=1e-5)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("family", FAMILIES)
def test_outputs_are_near(tmp_path, family, format):
    model, exact = (build(tmp_path, {"name": "lora"}, each, family).eval() for each in (format, "fp32"))
    disturb(model), disturb(exact)
    one, other = (torch.cat([row.flatten() for row in models.outputs(each)]) for each in (model, exact))
    assert not torch.equal(one, other)
    assert torch.cosine_similarity(one, other, dim=0) > NEAR[format]


@pytest.mark.parametrize("method", [name for name in METHODS if name not in READ_WEIGHTS])
def test_methods_train_the_same_tensors(tmp_path, method):
    model, exact = (build(tmp_path, METHODS[method], each) for each in ("int8", "fp32"))
    assert model.counts() == exact.counts() and hidden_parameters(model.backbone)
    assert model.state().keys() == exact.state().keys()
    model.outputs(model.encode(models.waves(), models.LENGTHS)).sum().backward()
    assert not any(each.weight is not None for each in frozen_maps(model))


def frozen_maps(model):
    trained = {id(each) for each in model.attachment.host_parameters.values()}
    maps = (part for layer in model.backbone.layers for part in layer.modules() if type(part) is Linear)
    return [part for part in maps if id(part.weight) not in trained]


def test_what_needs_exact_weights_is_refused(tmp_path):
    with pytest.raises(SureError, match=r"int8: petl \(dora\) computes with the exact weights; choose fp32"):
        build(tmp_path, {"name": "dora"}, "int8")
    with pytest.raises(SureError, match="nf4: no linear map is frozen; choose fp32"):
        build(tmp_path, {"name": "full"}, "nf4")
    with pytest.raises(SureError, match="cannot be merged into weights in int8; load the bundle"):
        build(tmp_path, {"name": "lora"}, "int8").attachment.merge()


@pytest.mark.parametrize("format", FORMATS)
def test_maps_are_stored_while_the_backbone_is_loaded(tmp_path, format):
    """The same numbers as storing them afterwards, from random weights and from a file."""
    exact = Family.from_weights("random:wavlm", seed=3)
    exact.save(tmp_path / "weights.safetensors")
    quantise(exact, format, ())
    for weights, family in (("random:wavlm", Family), (str(tmp_path / "weights.safetensors"), type(exact))):
        loaded = family.from_weights(weights, seed=3, frozen=format)
        assert loaded.state_dict().keys() == exact.state_dict().keys()
        assert all(torch.equal(each, exact.state_dict()[name]) for name, each in loaded.state_dict().items())


def test_a_method_that_reads_weights_gets_the_exact_ones(tmp_path):
    petl = {"name": "lora", "init": "pissa"}
    one, other = (build(tmp_path, petl, format) for format in ("int8", "fp32"))
    assert all(torch.equal(each, other.state()[name]) for name, each in one.state().items())
    assert hidden_parameters(one.backbone) and not hidden_parameters(other.backbone)


PEAK = """
import sys
import torch
from sure.backbones.wav2vec2 import Family
from sure.device import peak_memory_megabytes
Family.from_weights("random:tiny", frozen="int8")  # memory that every process needs once
before = peak_memory_megabytes(torch.device("cpu"))
Family.from_weights(sys.argv[1], frozen="int8", **({"layers": 6} if sys.argv[1] == "random:large" else {}))
print(peak_memory_megabytes(torch.device("cpu")) - before)
"""


@pytest.mark.parametrize("source", ["random", "file"])
def test_the_exact_weights_are_never_in_memory_together(tmp_path, source):
    weights = "random:large"
    with torch.device("meta"):
        exact = size(wav2vec2.Family(replace(wav2vec2.LARGE, layers=6)))
    if source == "file":
        weights = str(tmp_path / "weights.safetensors")
        wav2vec2.Family.from_weights("random:large", layers=6).save(weights)
    call = subprocess.run([sys.executable, "-c", PEAK, weights], check=True, capture_output=True, text=True)
    assert 1e6 * float(call.stdout) < 0.8 * exact
