"""Bundles: names of saved tensors, those of earlier versions too; and warm starts from several of them."""

import pytest
import torch
import yaml
from models import build, write_adapter

from sure.config import load_config
from sure.errors import SureError
from sure.models.experiment import Experiment
from sure.petl.bundle import ADAPTER_KINDS, bundle_files, read_bundle, write_bundle
from sure.petl.names import current_names

Q = "layer.0.attn.q"
TWO = {"name": "lora", "rank": 2}


@pytest.mark.parametrize(
    ("methods", "former", "now"),
    [
        ("lora", f"{Q}/lora_a", f"{Q}/lora/a"),
        ("lora+prefix+lora", f"{Q}/lora__a", f"{Q}/lora.2/a"),
        ("lora+lora+lora", f"{Q}/lora___a", f"{Q}/lora.3/a"),
        ("bottleneck+l_adapter", "readout/l_adapter_branches.0.map.weight", "readout/l_adapter/branches.0.map.weight"),
        ("layer_norm", "layer.0.norm.attn/layer_norm_weight", "layer.0.norm.attn/layer_norm/weight"),
        ("weighted_sum", "readout/weighted_sum_weights", "readout/weighted_sum/weights"),
        ("compacter", "shared/compacter_factors", "shared/compacter/factors"),
        ("full", "backbone/full_mask_embedding", "backbone/full/mask_embedding"),
        ("modules+modules", "postnet/parts__blocks.0.weight", "postnet/modules.2/blocks.0.weight"),
        ("lora", "head/output.weight", "head/output.weight"),
        ("lora", f"{Q}/unknown_a", f"{Q}/unknown_a"),
    ],
)
def test_earlier_names_are_translated_and_todays_stay(methods, former, now):
    assert current_names({former: 1}, methods.split("+")) == {now: 1}
    assert current_names({now: 1}, methods.split("+")) == {now: 1}


def test_a_bundle_with_an_earlier_name_of_a_method(tmp_path):
    about = {"backbone": dict.fromkeys(("name", "weights", "layers", "padding", "dim", "depth", "sha256"), "")}
    about |= {"format": 2, "petl": [{"name": "parts"}]}
    write_bundle(tmp_path, bundle_files(about, {"postnet/parts_blocks.0.weight": torch.ones(1)}, {}))
    bundle = read_bundle(tmp_path, ADAPTER_KINDS)
    assert bundle.about["petl"] == [{"name": "modules"}] and [*bundle.tensors] == ["postnet/modules/blocks.0.weight"]


@pytest.mark.parametrize("value", [True, 1.0, "3", 4])
def test_the_format_of_a_bundle_is_a_known_number(tmp_path, value):
    about = {"backbone": {}, "petl": [], "format": value}
    write_bundle(tmp_path, bundle_files(about, {"head/a": torch.ones(1)}, {}))
    with pytest.raises(SureError, match=f"has format {value}; this version of SURE reads formats up to 3"):
        read_bundle(tmp_path, ADAPTER_KINDS)


def test_configs_and_experiments_with_an_earlier_name(tmp_path):
    given = {"task": "tts", "data": {"train": "a/train", "valid": "a/dev"}, "backbone": {"name": "fastspeech2"}}
    experiment = Experiment(tmp_path)
    experiment.config.write_text(yaml.safe_dump({**given, "petl": {"name": "parts", "sites": "postnet"}}))
    for petl, method in ("parts", "modules"), ("lora+parts", "lora+modules"):
        assert load_config(experiment.config, [f"petl.name={petl}"]).method == method
    config = load_config(experiment.config)
    assert (config.method, config.petl[0].sites) == ("modules", "postnet")
    config.save(experiment.config)
    experiment.config.write_text(experiment.config.read_text().replace("name: modules", "name: parts"))
    experiment.summary.write_text("{}")
    experiment.open(config, "train")  # the saved config is not another one


def at_start(folder, petl):
    """The tensors of a new model's methods."""
    return build(folder, petl)[1].attachment.state()


def test_loras_of_two_bundles_are_stacked(tmp_path):
    one, other = (write_adapter(tmp_path, TWO, size) for size in (0.1, 0.3))
    first, second = (read_bundle(bundle, ADAPTER_KINDS).tensors for bundle in (one, other))
    found = at_start(tmp_path, [TWO | {"start": str(one), "trains": False}, TWO | {"start": str(other)}])
    names = [name for name in first if "/lora/" in name]
    assert len(found) == 2 * len(names)
    assert not torch.equal(first["layer.0.attn.q/lora/b"], second["layer.0.attn.q/lora/b"])
    for name in names:
        assert torch.equal(found[name], first[name])
        assert torch.equal(found[name.replace("/lora/", "/lora.2/")], second[name])
    with pytest.raises(SureError, match=r"petl \(lora.2\): start=.* has no lora number 2; it has: lora"):
        build(tmp_path, [TWO | {"start": str(one)}] * 2)


def test_the_second_of_a_name_takes_the_bundles_second(tmp_path):
    petl = [TWO | {"sites": "layer.0.attn.q"}, TWO | {"sites": "layer.1.attn.q", "rank": 4}]
    both = write_adapter(tmp_path, petl)
    wanted = read_bundle(both, ADAPTER_KINDS).tensors
    found = at_start(tmp_path, [item | {"start": str(both)} for item in petl])
    assert len(found) == 4 and all(torch.equal(wanted[name], tensor) for name, tensor in found.items())
    # after one without `start`
    more = [TWO | {"sites": "layer.2.attn.q"}, *(item | {"start": f"{both}/"} for item in petl)]
    assert torch.equal(at_start(tmp_path, more)["layer.1.attn.q/lora.3/a"], wanted["layer.1.attn.q/lora.2/a"])
