"""Warm starts from several bundles, and from one bundle with several methods of a name."""

import pytest
import torch
from models import build, write_adapter

from sure.errors import SureError
from sure.petl.bundle import ADAPTER_KINDS, read_bundle

LORA = {"name": "lora", "rank": 2}


def at_start(folder, petl):
    """The tensors of a new model's methods."""
    return build(folder, petl)[1].attachment.state()


def test_loras_of_two_bundles_are_stacked(tmp_path):
    one, other = (write_adapter(tmp_path, LORA, size) for size in (0.1, 0.3))
    first, second = (read_bundle(bundle, ADAPTER_KINDS).tensors for bundle in (one, other))
    found = at_start(tmp_path, [LORA | {"start": str(one), "trains": False}, LORA | {"start": str(other)}])
    names = [name for name in first if "/lora/" in name]
    assert len(found) == 2 * len(names)
    assert not torch.equal(first["layer.0.attn.q/lora/b"], second["layer.0.attn.q/lora/b"])
    for name in names:
        assert torch.equal(found[name], first[name])
        assert torch.equal(found[name.replace("/lora/", "/lora.2/")], second[name])
    for petl, message in (
        ([LORA | {"start": str(one)}] * 2, r"petl \(lora.2\): start=.* has no lora number 2; it has: lora"),
        ({"name": "prefix", "start": str(one)}, r"petl \(prefix\): start=.* has no prefix; it has: lora"),
    ):
        with pytest.raises(SureError, match=message):
            build(tmp_path, petl)


def test_the_second_of_a_name_takes_the_bundles_second(tmp_path):
    petl = [LORA | {"sites": "layer.0.attn.q"}, LORA | {"sites": "layer.1.attn.q", "rank": 4}]
    both = write_adapter(tmp_path, petl)
    wanted = read_bundle(both, ADAPTER_KINDS).tensors
    found = at_start(tmp_path, [item | {"start": str(both)} for item in petl])
    assert len(found) == 4 and all(torch.equal(wanted[name], tensor) for name, tensor in found.items())
    # after one without `start`
    more = [LORA | {"sites": "layer.2.attn.q"}, *(item | {"start": f"{both}/"} for item in petl)]
    assert torch.equal(at_start(tmp_path, more)["layer.1.attn.q/lora.3/a"], wanted["layer.1.attn.q/lora.2/a"])
