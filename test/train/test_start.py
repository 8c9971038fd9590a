"""Training from the bundle of another training: warm start, and one method frozen while another trains."""

import pytest
import toys
from safetensors.torch import load_file

from sure.bin import decode, pack
from sure.config import make_config
from sure.errors import SureError
from sure.inference import Sure
from sure.models.build import build_model, build_task

LORA = {"name": "lora", "rank": 2}


def trained(corpus, exp, petl):
    """The bundle of a training, decoded before."""
    toys.train_here(corpus, exp, petl=petl)
    for stage in (decode, pack):
        stage.main(["--exp", str(exp)])
    return exp / "bundle"


@pytest.fixture(scope="module")
def bundle(corpus, tmp_path_factory):
    """Of a LoRA that has learned to tell the tones apart."""
    return trained(corpus, tmp_path_factory.mktemp("start") / "lora", LORA)


def build(corpus, petl, **changes):
    config = make_config(toys.settings(corpus, petl=petl, **changes), "test")
    return build_model(config, build_task(config))


def test_one_stays_frozen_while_another_trains(corpus, bundle, tmp_path):
    frozen = LORA | {"start": str(bundle), "trains": False}
    both = trained(corpus, tmp_path / "both", [frozen, {"name": "bottleneck", "width": 4}])
    before, after = (load_file(one / "adapter.safetensors") for one in (bundle, both))
    lora = [name for name in before if "/lora/" in name]
    assert lora and all(before[name].equal(after[name]) for name in lora)
    assert any(after[name].abs().sum() for name in after if "/bottleneck/up" in name)
    assert not before["head/output.weight"].equal(after["head/output.weight"])
    sure = Sure.load(both)  # it has both, and needs the first bundle no more
    assert sure.model.attachment.trained_parameters().keys().isdisjoint(lora) and lora[0] in sure.model.state()
    line = (tmp_path / "both" / "decode_test" / "hyp.txt").read_text().splitlines()[0]
    assert sure.predict([corpus / "wav" / "test0.wav"]) == [line.split(" ")[1]]


def test_layers_below_a_frozen_method_are_computed_once(corpus, bundle):
    """Frozen adapters are part of the fixed prefix, without their dropout."""
    frozen = LORA | {"start": str(bundle), "trains": False, "dropout": 0.5}
    model = build(corpus, [frozen, {"name": "bottleneck", "sites": "layer.2.after_ffn"}])
    assert model.attachment.cacheable_taps == 3
    parts = [part for _, module in model.attachment.built() for part in module.modules()]
    assert {part.p for part in parts if hasattr(part, "p")} == {0.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "bottleneck"}, "has no bottleneck; it has: lora"),
        ({"rank": 4}, "rank=2, this config has rank=4"),
        ({"alpha": 4.0}, "alpha=16.0, this config has alpha=4.0"),
        ({"sites": "layer.*.attn.q"}, "sites=.*this config has sites=layer"),
        ({"init": "pissa"}, "does not have the same tensors"),
        ({"start": "", "trains": False}, "petl \\(lora\\): trains=false needs start"),
        ({"weights": "hubert"}, "sha256"),
    ],
)
def test_a_bundle_that_does_not_fit_is_named(corpus, bundle, changes, message):
    petl = changes if "name" in changes else LORA | changes
    weights = petl.pop("weights", "moonshine")
    with pytest.raises(SureError, match=message):
        build(corpus, {"start": str(bundle)} | petl, backbone__weights=f"random:{weights}")
