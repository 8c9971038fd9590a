"""Warm starts from several bundles, and from one bundle with several methods of a name."""

import pytest
import torch
from models import disturb, utterances

from sure.config import make_config
from sure.errors import SureError
from sure.models.build import build_model, build_task
from sure.petl.bundle import write_bundle
from sure.registry import find

LORA = {"name": "lora", "rank": 2}


@pytest.fixture
def made(tmp_path):
    """A function from settings of methods to config and model."""
    given = {"task": "language", "seed": 1, "data": {"train": "train", "valid": "dev"}, "backbone": {"name": "tiny"}}
    given["tokenizer"] = {"folder": str(tmp_path)}
    tokenizer = make_config(given | {"petl": LORA}, "test").tokenizer
    find("tasks", "language").fit(utterances("language"), tmp_path, tokenizer=tokenizer, language="en")

    def make(petl):
        config = make_config(given | {"petl": petl}, "test")
        return config, build_model(config, build_task(config))

    return make


@pytest.fixture
def bundle(made, tmp_path):
    """A function that writes the bundle of a model that moved from its start by `size`."""

    def write(name, petl, size):
        config, model = made(petl)
        disturb(model, size)
        write_bundle(tmp_path / name, model.bundle(config, tmp_path))
        return str(tmp_path / name), adapter(model)

    return write


def adapter(model):
    return {name: tensor.clone() for name, tensor in model.attachment.state().items()}


def test_loras_of_two_bundles_are_stacked(made, bundle):
    (one, first), (other, second) = bundle("one", LORA, 0.1), bundle("other", LORA, 0.3)
    found = adapter(made([LORA | {"start": one, "trains": False}, LORA | {"start": other}])[1])
    assert len(found) == 2 * len(first)
    assert not torch.equal(first["layer.0.attn.q/lora/b"], second["layer.0.attn.q/lora/b"])
    for name in first:
        assert torch.equal(found[name], first[name])
        assert torch.equal(found[name.replace("/lora/", "/lora.2/")], second[name])
    for petl, message in (
        ([LORA | {"start": one}] * 2, r"petl \(lora.2\): start=.* has no lora number 2; it has: lora"),
        ({"name": "prefix", "start": one}, r"petl \(prefix\): start=.* has no prefix; it has: lora"),
    ):
        with pytest.raises(SureError, match=message):
            made(petl)


def test_the_second_of_a_name_takes_the_bundles_second(made, bundle):
    petl = [LORA | {"sites": "layer.0.attn.q"}, LORA | {"sites": "layer.1.attn.q", "rank": 4}]
    both, wanted = bundle("both", petl, 0.1)
    found = adapter(made([item | {"start": both} for item in petl])[1])
    assert wanted.keys() == found.keys() and all(torch.equal(wanted[name], found[name]) for name in wanted)
    # after one without `start`
    _, more = made([LORA | {"sites": "layer.2.attn.q"}, *(item | {"start": both + "/"} for item in petl)])
    assert torch.equal(adapter(more)["layer.1.attn.q/lora.3/a"], wanted["layer.1.attn.q/lora.2/a"])
