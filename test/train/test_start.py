"""Training from what another training has left: warm start, and one method frozen while another trains."""

import pytest
import toys
from safetensors.torch import load_file, save_file

from sure.bin import decode, pack
from sure.config import make_config
from sure.errors import SureError
from sure.inference import Sure
from sure.models.build import build_model, build_task

LORA = {"name": "lora", "rank": 2}


@pytest.fixture(scope="module")
def bundle(corpus, tmp_path_factory):
    """Of a LoRA that has learned to tell the tones apart."""
    exp = toys.train_here(corpus, tmp_path_factory.mktemp("start") / "lora", petl=LORA)
    decode.main(["--exp", str(exp)])
    pack.main(["--exp", str(exp)])
    return exp / "bundle"


def build(corpus, petl, **changes):
    config = make_config(toys.settings(corpus, petl=petl, **changes), "test")
    return build_model(config, build_task(config))


@pytest.mark.parametrize("task", ["language", "asr"])
def test_begins_with_the_tensors_of_the_bundle(corpus, bundle, task):
    """Of the method; the head is the new task's own."""
    model = build(corpus, LORA | {"start": str(bundle), "lr": 1e-4, "dropout": 0.2}, task=task)
    saved = load_file(bundle / "adapter.safetensors")
    ours = model.state()
    adapter = [name for name in saved if not name.startswith("head/")]
    assert adapter and all(ours[name].equal(saved[name]) for name in adapter)
    assert any(saved[name].abs().sum() for name in adapter if name.endswith("/b"))
    assert not ours["head/output.weight"].equal(saved["head/output.weight"])


def test_one_stays_frozen_while_another_trains(corpus, bundle, tmp_path):
    frozen = LORA | {"start": str(bundle), "trains": False}
    exp = toys.train_here(corpus, tmp_path / "both", petl=[frozen, {"name": "bottleneck", "width": 4}])
    before, after = load_file(bundle / "adapter.safetensors"), load_file(exp / "best.safetensors")
    lora = [name for name in before if "/lora/" in name]
    assert lora and all(before[name].equal(after[name]) for name in lora)
    assert any(after[name].abs().sum() for name in after if "/bottleneck/up" in name)
    decode.main(["--exp", str(exp)])
    pack.main(["--exp", str(exp)])
    sure = Sure.load(exp / "bundle")  # it has both, and needs the first bundle no more
    trained = sure.model.attachment.trained_parameters()
    assert trained.keys().isdisjoint(lora) and lora[0] in sure.model.state()
    line = (exp / "decode_test" / "hyp.txt").read_text().splitlines()[0]
    assert sure.predict([corpus / "wav" / "test0.wav"]) == [line.split(" ")[1]]


def test_layers_below_a_frozen_method_are_computed_once(corpus, bundle):
    """Frozen adapters are part of the fixed prefix, without their dropout."""
    frozen = LORA | {"start": str(bundle), "trains": False, "dropout": 0.5}
    model = build(corpus, [frozen, {"name": "bottleneck", "sites": "layer.2.after_ffn"}])
    assert model.attachment.cacheable_taps == 3
    dropouts = [part.p for _, module in model.attachment.built() for part in module.modules() if hasattr(part, "p")]
    assert dropouts and set(dropouts) == {0.0}


def test_trains_false_comes_from_somewhere(corpus):
    with pytest.raises(SureError, match="petl \\(lora\\): trains=false needs start"):
        build(corpus, [LORA | {"trains": False}, {"name": "bottleneck"}])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "bottleneck"}, "has no bottleneck; it has: lora"),
        ({"rank": 4}, "rank=2, this config has rank=4"),
        ({"alpha": 4.0}, "alpha=16.0, this config has alpha=4.0"),
        ({"sites": "layer.*.attn.q"}, "sites=.*this config has sites=layer"),
        ({"init": "pissa"}, "does not have the same tensors"),
        ({"start": "nowhere"}, "nowhere is not a bundle"),
    ],
)
def test_what_does_not_fit_is_named(corpus, bundle, changes, message):
    petl = LORA | {"start": str(bundle)} | changes
    if petl["name"] != "lora":
        del petl["rank"]
    with pytest.raises(SureError, match=message):
        build(corpus, petl)


def test_another_backbone_is_refused(corpus, bundle):
    with pytest.raises(SureError, match="sha256"):
        build(corpus, LORA | {"start": str(bundle)}, backbone__weights="random:hubert")


def test_a_damaged_bundle_is_refused(corpus, bundle, tmp_path):
    copy = tmp_path / "bundle"
    copy.mkdir()
    for file in bundle.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    tensors = load_file(copy / "adapter.safetensors")
    tensors.pop(next(iter(tensors)))
    save_file(tensors, copy / "adapter.safetensors")
    with pytest.raises(SureError, match="1 missing"):
        build(corpus, LORA | {"start": str(copy)})
