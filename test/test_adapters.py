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
EXPERIMENTS = {
    "lora": {"petl": LORA},
    "wide": {"petl": LORA | {"rank": 4, "alpha": 3.0, "rslora": True}, "seed": 1, "train__lr_adapter": 1e-2},
    "pissa": {"petl": LORA | {"init": "pissa"}},
    "written_otherwise": {"petl": LORA | {"sites": "layer.[0-2].attn.* layer.[0-2].ffn.*"}, "train__lr_adapter": 1e-2},
    "upper": {"petl": LORA | {"sites": "layer.2.attn.*"}},
    "asr": {"task": "asr", "petl": LORA, "backbone__layers": "weighted_sum"},
    "bias": {"petl": {"name": "layer_norm"}},
    "bias2": {"petl": {"name": "layer_norm"}, "train__lr_adapter": 1e-2},
    "full": {"petl": {"name": "full"}},
    "bottleneck": {"petl": {"name": "bottleneck"}},
    "bottleneck2": {"petl": {"name": "bottleneck"}, "train__lr_adapter": 1e-2},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return toys.make_corpus(tmp_path_factory.mktemp("corpus of tones"))


@pytest.fixture(scope="module")
def bundles(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    for name, changes in EXPERIMENTS.items():
        exp = toys.train_here(corpus, folder / name, train__epochs=2, **changes)
        decode.main(["--exp", str(exp)])
        pack.main(["--exp", str(exp)])
    return {name: folder / name / "bundle" for name in EXPERIMENTS}


@pytest.fixture(scope="module")
def wave(corpus):
    return torch.from_numpy(toys.tones("abacd"))


@torch.no_grad()
def outputs(sure: Sure, wave: torch.Tensor) -> torch.Tensor:
    model = sure.model
    return model.outputs(model.encode(wave[None], torch.tensor([len(wave)])))


def weights(sure: Sure) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in sure.backbone.state_dict().items() if ".attached." not in name}


def test_each_answers_as_if_it_were_alone(bundles, wave):
    alone = {name: outputs(Sure.load(bundle), wave) for name, bundle in bundles.items()}
    assert len({tensor.sum().item() for tensor in alone.values()}) == len(alone)
    sure = Sure.load(bundles["lora"], name="lora")
    backbone = sure.backbone
    for name in list(bundles)[1:]:
        sure.add(name, bundles[name])
        assert torch.equal(outputs(sure, wave), alone[name])
    for name in [*reversed(bundles), *bundles, "full", "bias", "full"]:
        sure.use(name)
        assert sure.name == name and torch.equal(outputs(sure, wave), alone[name]), name
    assert sure.backbone is backbone


def change(sure: Sure, site: str) -> torch.Tensor:
    """What the LoRA in use adds to a weight."""
    return next(module.change() for place, module in sure.model.attachment.built() if place.name == site).detach()


def test_the_mean_of_loras_is_exact(bundles, wave):
    sure = Sure.load(bundles["lora"], name="lora")
    shares = {"lora": 0.5, "wide": 0.3, "pissa": 0.2}
    for name in ("wide", "pissa"):
        sure.add(name, bundles[name])
    changes = {}
    for name in shares:
        sure.use(name)
        changes[name] = change(sure, "layer.1.ffn.in")
    sure.average("mean", shares)
    wanted = sum(share * changes[name] for name, share in shares.items())
    torch.testing.assert_close(change(sure, "layer.1.ffn.in"), wanted, atol=1e-6, rtol=1e-5)
    assert sure.model.attachment.methods[0].config.rank == 2 + 4 + 2 * 2
    assert torch.equal(sure.model.head.output.weight, sure.models["lora"].head.output.weight)
    mean = outputs(sure, wave)
    sure.merge()
    torch.testing.assert_close(outputs(sure, wave), mean, atol=1e-5, rtol=1e-5)


def test_what_counts_is_where_they_sit_not_how_it_is_written(bundles):
    sure = Sure.load(bundles["lora"], name="lora")
    lora = change(sure, "layer.1.ffn.in")
    sure.add("other", bundles["written_otherwise"])
    wanted = (lora + change(sure, "layer.1.ffn.in")) / 2
    sure.average("mean", {"lora": 0.5, "other": 0.5})
    torch.testing.assert_close(change(sure, "layer.1.ffn.in"), wanted, atol=1e-6, rtol=1e-5)


def test_a_share_of_one_is_the_adapter_itself(bundles, wave):
    for name, other in (("lora", "wide"), ("bias", "bias2")):
        sure = Sure.load(bundles[name], name=name)
        wanted = outputs(sure, wave)
        sure.add(other, bundles[other])
        sure.average("mean", {name: 1.0, other: 0.0})
        torch.testing.assert_close(outputs(sure, wave), wanted, atol=1e-6, rtol=1e-5)


def test_the_mean_of_what_trains_in_the_backbone(bundles):
    sure = Sure.load(bundles["bias"], name="bias")
    bias = weights(sure)
    sure.add("bias2", bundles["bias2"])
    bias2 = weights(sure)
    sure.average("mean", {"bias": 0.25, "bias2": 0.75})
    for name, tensor in weights(sure).items():
        torch.testing.assert_close(tensor, 0.25 * bias[name] + 0.75 * bias2[name])


def test_the_head_is_of_whom_one_says(bundles, wave):
    sure = Sure.load(bundles["lora"], name="lora")
    sure.add("asr", bundles["asr"])
    sure.average("mean", {"lora": 0.7, "asr": 0.3}, head="asr")
    assert outputs(sure, wave).dim() == 3 and sure.model.attachment.reads_all_taps()
    sure.average("other", {"lora": 0.7, "asr": 0.3})
    assert outputs(sure, wave).dim() == 2 and not sure.model.attachment.reads_all_taps()


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
def test_a_mean_that_makes_no_sense_changes_nothing(bundles, wave, shares, message):
    sure = Sure.load(bundles["lora"], name="lora")
    for name in ("bottleneck", "bottleneck2", "upper", "pissa"):
        sure.add(name, bundles[name])
    before = outputs(sure, wave)
    with pytest.raises(SureError, match=message):
        sure.average("mean", shares)
    assert sure.name == "pissa" and torch.equal(outputs(sure, wave), before)
    with pytest.raises(SureError, match="no adapter 'mean'"):
        sure.use("mean")


def test_what_cannot_be_added_changes_nothing(bundles, wave, tmp_path):
    sure = Sure.load(bundles["full"], name="full")
    before = outputs(sure, wave)
    broken = tmp_path / "bundle"
    broken.mkdir()
    shutil.copytree(bundles["bottleneck"], broken, dirs_exist_ok=True)
    about = json.loads((broken / ABOUT).read_text().replace('"width": null', '"width": 5'))
    (broken / ABOUT).write_text(json.dumps(about | {"digest": digest_of(about)}))
    for name, bundle, message in [
        ("full", bundles["lora"], "already"),
        ("more", broken, "has shape"),
        ("more", tmp_path, "not a bundle"),
    ]:
        with pytest.raises(SureError, match=message):
            sure.add(name, bundle)
        assert sure.name == "full" and torch.equal(outputs(sure, wave), before)
    with pytest.raises(SureError, match="no adapter 'more'; there are: full"):
        sure.use("more")


def test_a_merged_backbone_fits_no_other_adapter(bundles):
    sure = Sure.load(bundles["lora"], name="lora")
    sure.add("wide", bundles["wide"])
    sure.merge()
    sure.use("wide")
    with pytest.raises(SureError, match="'wide' is merged into the backbone"):
        sure.use("lora")
    with pytest.raises(SureError, match="'wide' is merged into the backbone"):
        sure.add("bias", bundles["bias"])
