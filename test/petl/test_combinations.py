"""Several methods on one backbone: what fits together works, what makes no sense is one clear error."""

import pytest
import torch
from models import utterances

from sure.backbones.tiny import Family
from sure.config import make_config
from sure.errors import SureError
from sure.models.build import build_model, build_task
from sure.petl.attach import Attachment
from sure.registry import find

DATA = {"task": "language", "data": {"train": "", "valid": ""}, "backbone": {"name": "tiny"}}


def attach(petl) -> Attachment:
    config = make_config(DATA | {"petl": petl}, "test")
    backbone = Family.from_weights("random:wav2vec2", seed=1)
    return Attachment(backbone, [find("petl", item.name)(item) for item in config.petl])


@pytest.mark.parametrize(
    ("petl", "message"),
    [
        ([{"name": "prefix"}, {"name": "prefix"}], "layer.0.attn already has the prefix of prefix"),
        ("mam+prefix", "layer.0.attn already has the prefix of mam"),
        ("prefix+unipelt", "layer.0.attn already has the prefix"),
        ("lora+dora", "dora.*layer.0.attn.q already has lora"),
        ("dora+ssf", "ssf.*layer.0.attn.q already has dora"),
        ("bitfit+layer_norm", "layer.0.norm.attn/layer_norm/bias and layer.0.norm.attn/bitfit/bias are one parameter"),
        ("layer_norm+full", "layer_norm/weight are one parameter of the backbone"),
        ("l_adapter+weighted_sum", "weighted_sum.*another method already reads all layers"),
        ({"name": "lora", "sites": "layer.*.attn.q layer.0.attn.*"}, "two patterns match layer.0.attn.q"),
        ({"name": "lora", "sites": "layer.[1-3].attn.q"}, "matches nothing at 'layer.3.attn.q'"),
        ({"name": "l_adapter", "sites": "layer.7.output"}, "matches nothing"),
        ({"name": "prefix", "sites": "layer.*.attn.q"}, "site of kind 'linear'; prefix accepts: attention"),
        ({"name": "side_network", "reduction": 3}, "reduction=3 its width is 10, which heads=4 does not divide"),
        ({"name": "lora", "rank": 40, "init": "pissa"}, "rank=40 is more than the width of layer.0.attn.q, 32 to 32"),
        ({"name": "dora", "rank": 40, "init": "orthogonal"}, "rank=40 is more than .* init=kaiming"),
        ({"name": "lora", "sites": ""}, r"petl \(lora\): sites is empty.*omit it.*layer.\*.attn"),
        ({"name": "l_adapter", "sites": "  "}, r"petl \(l_adapter\): sites is empty"),
        ({"name": "full", "sites": "layer.2.attn.q"}, "full has no sites; omit it"),
        (["lora", {"name": "weighted_sum", "sites": "layer.0.output"}], "weighted_sum has no sites"),
        ({"name": "conv_adapter", "width": 5}, "width=5 does not divide the 32 channels of layer.0.after_ffn"),
        ({"name": "conv_adapter", "width": 64}, "width=64 does not divide"),
        ({"name": "conv_adapter", "kernels": [0, 5, 3]}, "kernels"),
        ({"name": "conv_adapter", "kernels": [3, -1, 3]}, "kernels"),
        ({"name": "prefix", "reparametrise": True, "hidden": 0}, "hidden"),
        ({"name": "prefix", "reparametrise": True, "hidden": -1}, "hidden"),
        ({"name": "lora", "alpha": float("inf")}, "alpha"),
        ({"name": "bottleneck", "scale": float("nan")}, "scale"),
    ],
)
def test_nonsense_is_refused(petl, message):
    with pytest.raises(SureError, match=message):
        attach(petl)


@pytest.mark.parametrize("petl", ["prefix", "lora+prefix", "lora+bottleneck"])
def test_merging_what_is_no_weight_is_refused_and_changes_nothing(petl):
    attachment = attach(petl)
    before = {name: tensor.clone() for name, tensor in attachment.backbone.state_dict().items()}
    with pytest.raises(SureError, match=f"petl \\({petl.split('+')[-1]}\\) cannot be merged"):
        attachment.merge()
    after = attachment.backbone.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_a_rank_above_the_width_is_no_harm_where_a_is_random():
    state = attach({"name": "lora", "rank": 40, "sites": "layer.0.attn.q"}).state()
    assert {name: list(tensor.shape) for name, tensor in state.items()} == {
        "layer.0.attn.q/lora/a": [40, 32],
        "layer.0.attn.q/lora/b": [32, 40],
    }


def test_layers_can_have_settings_of_their_own():
    lora = {"name": "lora", "sites": "layer.0.attn.q", "rank": 2}
    attachment = attach([lora, lora | {"sites": "layer.[1-2].attn.q", "rank": 4, "alpha": 4.0}])
    shapes = {name: list(tensor.shape) for name, tensor in attachment.state().items()}
    assert shapes == {
        "layer.0.attn.q/lora/a": [2, 32],
        "layer.0.attn.q/lora/b": [32, 2],
        "layer.1.attn.q/lora.2/a": [4, 32],
        "layer.1.attn.q/lora.2/b": [32, 4],
        "layer.2.attn.q/lora.2/a": [4, 32],
        "layer.2.attn.q/lora.2/b": [32, 4],
    }
    assert [(row.method, row.sites, row.parameters) for row in attachment.coverage()] == [
        ("lora", 1, 128),
        ("lora.2", 2, 512),
    ]


@torch.no_grad()
def test_methods_at_one_site_merge_in_their_order():
    """LoRA, then SSF on what it makes, and the other way round; (IA)3 scales what LoRA and its host read."""
    wave, lengths = 0.1 * torch.randn(1, 4000), torch.tensor([4000])
    for petl in ("lora+ssf", "ssf+lora", "ia3+lora", "lora+ia3"):
        attachment = attach(petl)
        for parameter in attachment.trained_parameters().values():
            parameter += 0.05 * torch.randn_like(parameter)
        wanted = attachment.backbone(wave, lengths).last
        attachment.merge()
        torch.testing.assert_close(attachment.backbone(wave, lengths).last, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("petl", "readout"),
    [
        ("lora", "WeightedSum"),
        ("lora+weighted_sum", "WeightedSum"),
        ("l_adapter", "LayerBranches"),
        ("side_network", "SideNetwork"),
    ],
)
def test_the_sum_of_layers_is_read_unless_a_method_reads_them_itself(tmp_path, petl, readout):
    folder = tmp_path / "tokens"
    config = make_config(DATA | {"petl": petl, "backbone": {"name": "tiny", "layers": "weighted_sum"}}, "test")
    find("tasks", "language").fit(utterances("language"), folder, tokenizer=config.tokenizer, language="en")
    model = build_model(config, build_task(config, folder))
    assert type(model.attachment.readout).__name__ == readout
