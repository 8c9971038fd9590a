"""Several adapters on one backbone: added, switched, averaged and merged without loading the backbone again."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import toys

from sure.bin import decode, pack
from sure.errors import SureError
from sure.inference import Sure
from sure.petl.bundle import ABOUT, digest_of

LORA = {"name": "lora", "rank": 2}
FAST = {"train__lr_adapter": 1e-2}
EXPERIMENTS = {
    "lora": {"petl": LORA},
    "wide": {"petl": LORA | {"rank": 4, "alpha": 3.0, "rslora": True}, "seed": 1, **FAST},
    "pissa": {"petl": LORA | {"init": "pissa"}},
    "written_otherwise": {"petl": LORA | {"sites": "layer.[0-2].attn.* layer.[0-2].ffn.*"}, **FAST},
    "upper": {"petl": LORA | {"sites": "layer.2.attn.*"}},
    "asr": {"task": "asr", "petl": LORA, "backbone__layers": "weighted_sum"},
    "bias": {"petl": {"name": "layer_norm"}},
    "bias2": {"petl": {"name": "layer_norm"}, **FAST},
    "full": {"petl": {"name": "full"}},
    "bottleneck": {"petl": {"name": "bottleneck"}},
    "bottleneck2": {"petl": {"name": "bottleneck"}, **FAST},
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    corpus = toys.make_corpus(tmp_path_factory.mktemp("corpus of tones"))
    for name, changes in EXPERIMENTS.items():
        exp = toys.train_here(corpus, corpus / name, train__epochs=2, **changes)
        decode.main(["--exp", str(exp)])
        pack.main(["--exp", str(exp)])
    return {name: corpus / name / "bundle" for name in EXPERIMENTS}


@pytest.fixture
def load(bundles):
    """A function that loads bundles by name; the last one is active."""

    def load(first: str, *more: str) -> Sure:
        sure = Sure.load(bundles[first], name=first)
        for name in more:
            sure.add(name, bundles[name])
        return sure

    return load


@torch.no_grad()
def outputs(sure: Sure) -> torch.Tensor:
    wave = torch.from_numpy(toys.tones("abacd"))
    return sure.model.outputs(sure.model.encode(wave[None], torch.tensor([len(wave)])))


def change(sure: Sure) -> torch.Tensor:
    """The change that the active LoRA makes to one weight."""
    built = {site.name: module for site, module in sure.model.attachment.built()}
    return built["layer.1.ffn.in"].change().detach()


def test_each_computes_as_if_it_were_alone(bundles, load):
    alone = {name: outputs(load(name)) for name in bundles}
    assert len({tensor.sum().item() for tensor in alone.values()}) == len(alone)
    sure = load("lora")
    backbone = sure.backbone
    for name in list(bundles)[1:]:
        sure.add(name, bundles[name])
        assert torch.equal(outputs(sure), alone[name])
    for name in [*reversed(bundles), *bundles, "full", "bias", "full"]:
        sure.use(name)
        assert sure.name == name and torch.equal(outputs(sure), alone[name]), name
    assert sure.backbone is backbone and "embed" not in sure.model.abilities
    with pytest.raises(SureError, match="the task language, which does not offer embed; use predict"):
        sure.embed([torch.zeros(8000)])


def test_the_mean_of_loras_is_exact(load):
    """Of three forms of LoRA, one of them with its sites written in another way."""
    shares = {"lora": 0.4, "wide": 0.2, "pissa": 0.15, "written_otherwise": 0.25}
    sure = load(*shares)
    wanted = 0.0
    for name, share in shares.items():
        sure.use(name)
        wanted = wanted + share * change(sure)
    sure.average("mean", shares)
    torch.testing.assert_close(change(sure), wanted, atol=1e-6, rtol=1e-5)
    assert sure.model.attachment.methods[0].config.rank == 2 + 4 + 2 * 2 + 2
    assert torch.equal(sure.model.head.output.weight, sure.models["lora"].head.output.weight)
    mean = outputs(sure)
    sure.merge()
    torch.testing.assert_close(outputs(sure), mean, atol=1e-5, rtol=1e-5)


def test_a_share_of_one_is_the_adapter_itself(load):
    for name, other in (("lora", "wide"), ("bias", "bias2")):
        sure = load(name)
        wanted = outputs(sure)
        sure = load(name, other)
        sure.average("mean", {name: 1.0, other: 0.0})
        torch.testing.assert_close(outputs(sure), wanted, atol=1e-6, rtol=1e-5)


def test_the_mean_of_the_backbones_own_parameters(load):
    sure, states = load("bias", "bias2"), {}
    for name in ("bias", "bias2"):
        sure.use(name)
        states[name] = {key: tensor.clone() for key, tensor in sure.backbone.state_dict().items()}
    sure.average("mean", {"bias": 0.25, "bias2": 0.75})
    for key, tensor in sure.backbone.state_dict().items():
        torch.testing.assert_close(tensor, 0.25 * states["bias"][key] + 0.75 * states["bias2"][key])


def test_the_head_can_be_chosen(load):
    sure = load("lora", "asr")
    for head, dimensions in (("asr", 3), ("", 2)):
        sure.average(f"mean {head}", {"lora": 0.7, "asr": 0.3}, head=head)
        assert outputs(sure).dim() == dimensions and sure.model.attachment.reads_all_taps() == (head == "asr")


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"bottleneck": 0.5, "bottleneck2": 0.5}, "petl \\(bottleneck\\).*not linear"),
        ({"lora": 0.5, "bottleneck": 0.5}, "'bottleneck' has bottleneck in the backbone, others have lora"),
        ({"lora": 0.5, "upper": 0.5}, "petl \\(lora\\): the adapters have different sites"),
        ({"lora": 0.5, "pissa": 0.4}, "must add up to 1"),
        ({}, "needs adapters and their shares"),
        ({"lora": "half", "pissa": 0.5}, "share of 'lora' in an average must be a number; found 'half'"),
        ({"lora": 0.5, "pisa": 0.5}, "no adapter 'pisa' \\(did you mean 'pissa'"),
    ],
)
def test_an_impossible_mean_changes_nothing(load, shares, message):
    sure = load("lora", "bottleneck", "bottleneck2", "upper", "pissa")
    before = outputs(sure)
    with pytest.raises(SureError, match=message):
        sure.average("mean", shares)
    assert sure.name == "pissa" and torch.equal(outputs(sure), before)
    with pytest.raises(SureError, match="no adapter 'mean'"):
        sure.use("mean")


def test_a_bundle_that_cannot_be_added_changes_nothing(bundles, load, tmp_path):
    sure = load("full")
    before = outputs(sure)
    broken = shutil.copytree(bundles["bottleneck"], tmp_path / "bundle")
    about = json.loads((broken / ABOUT).read_text().replace('"width": null', '"width": 5'))
    (broken / ABOUT).write_text(json.dumps(about | {"digest": digest_of(about)}))
    for name, bundle, message in [
        ("full", bundles["lora"], "already"),
        ("more", broken, "has shape"),
        ("more", tmp_path, "not a bundle"),
    ]:
        with pytest.raises(SureError, match=message):
            sure.add(name, bundle)
        assert sure.name == "full" and torch.equal(outputs(sure), before)
    with pytest.raises(SureError, match="no adapter 'more'; there are: full"):
        sure.use("more")


def test_a_merged_backbone_fits_no_other_adapter(bundles, load):
    sure = load("lora", "wide")
    sure.merge()
    sure.use("wide")
    for refused in (lambda: sure.use("lora"), lambda: sure.add("bias", bundles["bias"])):
        with pytest.raises(SureError, match="'wide' is merged into the backbone"):
            refused()
