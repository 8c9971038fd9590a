"""Warm starts from several bundles, and from one bundle with several methods of a name."""

import pytest
import torch
from models import disturb, utterances

from sure.config import make_config
from sure.errors import SureError
from sure.models.build import build_model, build_task
from sure.models.pack import bundle_content
from sure.petl.bundle import write_bundle
from sure.registry import find

LORA = {"name": "lora", "rank": 2}


def made(folder, petl):
    config = make_config(
        {
            "task": "language",
            "seed": 1,
            "data": {"train": str(folder / "train"), "valid": str(folder / "dev")},
            "tokenizer": {"folder": str(folder / "language")},
            "backbone": {"name": "tiny"},
            "petl": petl,
        },
        "test",
    )
    if not (folder / "language").exists():
        task = find("tasks", "language")
        task.fit(utterances("language"), folder / "language", tokenizer=config.tokenizer, language="en")
    return config, build_model(config, build_task(config))


def bundle(folder, name, petl, size) -> str:
    config, model = made(folder, petl)
    disturb(model, size)
    write_bundle(folder / name, bundle_content(config, model, folder / "language"))
    return str(folder / name)


def begun(folder, petl):
    """The tensors that a model begins with, without its head."""
    state = made(folder, petl)[1].state()
    return {name: tensor for name, tensor in state.items() if not name.startswith("head/")}


def test_loras_of_two_bundles_are_stacked(tmp_path):
    one, other = bundle(tmp_path, "one", LORA, 0.1), bundle(tmp_path, "other", LORA, 0.3)
    found = begun(tmp_path, [LORA | {"start": one, "trains": False}, LORA | {"start": other}])
    first, second = begun(tmp_path, LORA | {"start": one}), begun(tmp_path, LORA | {"start": other})
    assert len(found) == 2 * len(first)
    assert not torch.equal(first["layer.0.attn.q/lora/b"], second["layer.0.attn.q/lora/b"])
    for name in first:
        assert torch.equal(found[name], first[name])
        assert torch.equal(found[name.replace("/lora/", "/lora.2/")], second[name])


def test_the_second_of_a_name_takes_the_bundles_second(tmp_path):
    petl = [LORA | {"sites": "layer.0.attn.q"}, LORA | {"sites": "layer.1.attn.q", "rank": 4}]
    both = bundle(tmp_path, "both", petl, 0.1)
    _, model = made(tmp_path, petl)
    disturb(model, 0.1)
    wanted = {name: tensor for name, tensor in model.state().items() if not name.startswith("head/")}
    found = begun(tmp_path, [item | {"start": both} for item in petl])
    assert wanted.keys() == found.keys() and all(torch.equal(wanted[name], found[name]) for name in wanted)
    # behind one that begins as it is
    more = begun(tmp_path, [LORA | {"sites": "layer.2.attn.q"}, *(item | {"start": both + "/"} for item in petl)])
    assert torch.equal(more["layer.1.attn.q/lora.3/a"], wanted["layer.1.attn.q/lora.2/a"])


def test_a_bundle_with_too_few_is_named(tmp_path):
    one = bundle(tmp_path, "one", LORA, 0.1)
    with pytest.raises(SureError, match=r"petl \(lora.2\): start=.* has no lora number 2; it has: lora"):
        made(tmp_path, [LORA | {"start": one}, LORA | {"start": one}])
    with pytest.raises(SureError, match=r"petl \(prefix\): start=.* has no prefix; it has: lora"):
        made(tmp_path, {"name": "prefix", "start": one})
