"""Recomputed layers: the loss and every gradient are those of stored activations, bit for bit, dropout included."""

import functools

import models
import pytest
import speakers
import torch
from models import FAMILIES, LENGTHS, METHODS, disturb, utterances, waves

from sure.backbones.layers import Layer

DROPOUT = {"lora-dropout": {"name": "lora", "dropout": 0.3}, "prefix-dropout": {"name": "prefix", "dropout": 0.3}}
COMBINED = [{"name": "unipelt", "dropout": 0.3}, {"name": "l_adapter"}]
CASES = [(method, "wavlm") for method in METHODS.values()]
CASES += [(method, "whisper") for method in DROPOUT.values()] + [(COMBINED, family) for family in FAMILIES]


def step(model, recompute, bf16=False):
    """The loss, the gradients and the number of calls of layers."""
    calls = []
    for layer in filter(lambda part: isinstance(part, Layer), model.backbone.modules()):
        layer.register_forward_pre_hook(lambda *_: calls.append(1))
    model.backbone.recompute_layers = recompute
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        if model.task.kind == "synthesis":
            loss = model(speakers.batch(model, given=True)).sum()
        else:
            targets = [model.task.target(utterance) for utterance in utterances("language")]
            loss = model.losses(model.encode(waves(), LENGTHS), targets).sum()
    loss.backward()
    parameters = {name: each for group in model.parameter_groups().values() for name, each in group.items()}
    return loss, {name: each.grad for name, each in parameters.items()}, len(calls)


def assert_equal(make, bf16=False):
    """Returns how many more calls of layers recomputing takes."""
    found = []
    for recompute in (False, True):
        model = make().train()
        disturb(model)
        found.append(step(model, recompute, bf16))
    (loss, gradients, calls), (loss_again, gradients_again, calls_again) = found
    assert torch.equal(loss, loss_again) and any(each is not None for each in gradients.values())
    for name, gradient in gradients.items():
        assert gradient is gradients_again[name] is None or torch.equal(gradient, gradients_again[name]), name
    return calls_again - calls


@pytest.mark.parametrize(("petl", "family"), CASES)
def test_in_speech_encoders(tmp_path, petl, family):
    layers = assert_equal(lambda: models.build(tmp_path, petl, family)[1])
    assert layers > 0 or petl["name"] in ("linear_probe", "weighted_sum", "l_adapter", "side_network")


@pytest.mark.parametrize("frozen", ["fp32", "nf4"])
@pytest.mark.parametrize("family", FAMILIES)
def test_in_bf16(tmp_path, family, frozen):
    make = functools.partial(models.build, tmp_path, DROPOUT["lora-dropout"], family, frozen_weights=frozen)
    assert assert_equal(lambda: make()[1], bf16=True) > 0


@pytest.mark.parametrize("petl", ["full", "lora-dropout"])
def test_in_synthesis(tmp_path, petl):
    assert assert_equal(lambda: speakers.make(tmp_path, petl)) > 0


def test_only_layers_through_which_gradients_flow(tmp_path):
    def make():
        return models.build(tmp_path, {"name": "lora", "sites": "layer.1.attn.q"})[1]

    assert assert_equal(make) == len(make().backbone.layers) - 1
