"""Several adapters on one backbone: added, switched, averaged and merged without loading the backbone again."""

import shutil

import pytest
import torch
from damage import change_about
from models import LENGTHS, waves, write_adapter

from sure.errors import SureError
from sure.inference import Sure

LORA = {"name": "lora", "rank": 2}
ADAPTERS = {
    "lora": {"petl": LORA},
    "wide": {"petl": LORA | {"rank": 4, "alpha": 3.0, "rslora": True}, "size": 0.1},
    "upper": {"petl": LORA | {"sites": "layer.[1-2].attn.*"}},
    "asr": {"task": "asr", "petl": LORA | {"init": "pissa"}, "layers": "weighted_sum"},
    "bias": {"petl": "layer_norm"},
    "full": {"petl": "full"},
    "bottleneck": {"petl": "bottleneck"},
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several adapters")
    return {name: write_adapter(folder, **given) for name, given in ADAPTERS.items()}


@pytest.fixture
def load(bundles):
    """A function that loads bundles by name; the last one is active."""

    def load(*names: str) -> Sure:
        sure = Sure.load(bundles[names[0]], name=names[0])
        for name in names[1:]:
            sure.add(name, bundles[name])
        return sure

    return load


@torch.no_grad()
def outputs(sure: Sure) -> torch.Tensor:
    return sure.model.outputs(sure.model.encode(waves(), LENGTHS))


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


def test_an_average_is_used_like_a_bundle(load):
    """The exactness of averages is tested in petl/test_average.py."""
    sure = load("lora", "wide", "asr")
    sure.average("mean", {"lora": 0.5, "wide": 0.3, "asr": 0.2})
    assert sure.model.attachment.methods[0].config.rank == 2 + 4 + 2 * 2
    assert torch.equal(sure.model.head.output.weight, sure.models["lora"].head.output.weight)
    mean = outputs(sure)
    sure.use("lora")
    alone = outputs(sure)
    sure.average("lora alone", {"lora": 1.0, "wide": 0.0})
    torch.testing.assert_close(outputs(sure), alone, atol=1e-6, rtol=1e-5)
    sure.average("with a head", {"lora": 0.5, "wide": 0.3, "asr": 0.2}, head="asr")
    assert outputs(sure).dim() == 3 and sure.model.attachment.reads_all_taps()
    sure.use("mean")
    assert mean.dim() == 2 and not sure.model.attachment.reads_all_taps()
    sure.merge()
    torch.testing.assert_close(outputs(sure), mean, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"bottleneck": 1.0}, "petl \\(bottleneck\\).*not linear"),
        ({"lora": 0.5, "bottleneck": 0.5}, "'bottleneck' has bottleneck in the backbone, others have lora"),
        ({"lora": 0.5, "upper": 0.5}, "petl \\(lora\\): the adapters have different sites"),
        ({"lora": 0.5, "wide": 0.4}, "must add up to 1"),
        ({}, "needs adapters and their shares"),
        ({"lora": "half", "wide": 0.5}, "share of 'lora' in an average must be a number; found 'half'"),
        ({"lora": 0.5, "wild": 0.5}, "no adapter 'wild' \\(did you mean 'wide'"),
    ],
)
def test_an_impossible_mean_changes_nothing(load, shares, message):
    sure = load("lora", "bottleneck", "upper", "wide")
    with pytest.raises(SureError, match=message):
        sure.average("mean", shares)
    assert sure.name == "wide" and "mean" not in sure.models and torch.equal(outputs(sure), outputs(load("wide")))


def test_a_bundle_that_cannot_be_added_changes_nothing(bundles, load, tmp_path):
    sure = load("full")
    before = outputs(sure)
    broken = shutil.copytree(bundles["bottleneck"], tmp_path / "bundle")
    change_about(broken, "petl.0.width", 5)
    for name, bundle, message in (
        ("full", bundles["lora"], "already"),
        ("more", broken, "has shape"),
        ("more", tmp_path, "not a bundle"),
    ):
        with pytest.raises(SureError, match=message):
            sure.add(name, bundle)
        assert list(sure.models) == [sure.name] == ["full"] and torch.equal(outputs(sure), before)
    with pytest.raises(SureError, match="no adapter 'more'; there are: full"):
        sure.use("more")


def test_a_merged_backbone_fits_no_other_adapter(bundles, load):
    sure = load("lora", "wide")
    sure.merge()
    sure.use("wide")
    for refused in (lambda: sure.use("lora"), lambda: sure.add("bias", bundles["bias"])):
        with pytest.raises(SureError, match="'wide' is merged into the backbone"):
            refused()
