"""Several methods on one backbone: combinations that fit work, others are one clear error."""

import pytest
import torch
from models import attach, build

from sure.errors import SureError

REFUSED = [
    ([{"name": "prefix"}, {"name": "prefix"}], "layer.0.attn already has the prefix of prefix"),
    ("mam+prefix", "layer.0.attn already has the prefix of mam"),
    ("lora+dora", "dora.*layer.0.attn.q already has lora"),
    ("bitfit+layer_norm", "layer.0.norm.attn/layer_norm/bias and layer.0.norm.attn/bitfit/bias are one parameter"),
    ("layer_norm+full", "layer_norm/weight are one parameter of the backbone"),
    ("l_adapter+weighted_sum", "weighted_sum.*another method already reads all layers"),
    ({"name": "lora", "sites": "layer.*.attn.q layer.0.attn.*"}, "two patterns match layer.0.attn.q"),
    ({"name": "prefix", "sites": "layer.*.attn.q"}, "site of kind 'linear'; prefix accepts: attention"),
    ({"name": "side_network", "reduction": 3}, "reduction=3 its width is 10, which heads=4 does not divide"),
    ({"name": "lora", "rank": 40, "init": "pissa"}, "rank=40 is more than the width of layer.0.attn.q, 32 to 32"),
    ({"name": "dora", "rank": 40, "init": "orthogonal"}, "rank=40 is more than .* init=kaiming"),
    ({"name": "lora", "sites": ""}, r"petl \(lora\): sites is empty.*omit it.*layer.\*.attn"),
    (
        {"name": "lora", "sites": "layer.[0-99].*"},
        r"site pattern 'layer.\[0-99\].\*' \(that is, .* matches nothing",
    ),
    ({"name": "full", "sites": "layer.2.attn.q"}, "full has no sites; omit it"),
    (["lora", {"name": "weighted_sum", "sites": "layer.0.output"}], "weighted_sum has no sites"),
    ({"name": "conv_adapter", "width": 5}, "width=5 does not divide the 32 channels of layer.0.after_ffn"),
    ({"name": "conv_adapter", "kernels": [3, -1, 3]}, "kernels"),
    ({"name": "prefix", "reparametrise": True, "hidden": 0}, "hidden"),
    ({"name": "lora", "alpha": float("inf")}, "alpha"),
]


@pytest.mark.parametrize(("petl", "message"), REFUSED)
def test_combinations_that_do_not_fit_are_refused(petl, message):
    with pytest.raises(SureError, match=message):
        attach(petl)


def test_layers_can_have_settings_of_their_own():
    """A rank above the width is allowed where A is random."""
    lora = {"name": "lora", "sites": "layer.0.attn.q", "rank": 2}
    attachment = attach([lora, lora | {"sites": "layer.[1-2].attn.q", "rank": 40, "alpha": 4.0}])
    rows = [(row.method, row.sites, row.parameters) for row in attachment.coverage]
    assert rows == [("lora", 1, 2 * 2 * 32), ("lora.2", 2, 2 * 2 * 40 * 32)]


@pytest.mark.parametrize("petl", ["lora+ssf", "ssf+lora", "ia3+lora", "lora+ia3"])
@torch.no_grad()
def test_methods_at_one_site_merge_in_their_order(petl):
    """LoRA, then SSF on its output, and the other way round; (IA)3 scales the input of LoRA and of its host."""
    wave, lengths = 0.1 * torch.randn(1, 4000), torch.tensor([4000])
    attachment = attach(petl)
    for parameter in attachment.trained_parameters().values():
        parameter += 0.05 * torch.randn_like(parameter)
    wanted = attachment.backbone(wave, lengths).last
    attachment.merge()
    torch.testing.assert_close(attachment.backbone(wave, lengths).last, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("petl", ["lora", "lora+weighted_sum", "l_adapter", "side_network"])
def test_the_sum_of_layers_is_read_unless_a_method_reads_them_itself(tmp_path, petl):
    _, model = build(tmp_path, petl, layers="weighted_sum")
    own = {"l_adapter": "LayerBranches", "side_network": "SideNetwork"}
    assert type(model.attachment.readout).__name__ == own.get(petl, "WeightedSum")
