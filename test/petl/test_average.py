"""The mean of several methods together: exact, or refused where one scales the change of another."""

from pathlib import Path

import pytest
import torch
from models import attach

from sure.errors import SureError
from sure.petl.average import average_bundles
from sure.petl.bundle import Bundle

IA3_FFN = {"name": "ia3", "sites": "layer.*.after_activation"}


@torch.no_grad()
def bundle(petl, seed: int, same: tuple[str, ...] = ()) -> Bundle:
    """An adapter away from its start; tensors with a name in `same` are equal for all seeds."""
    torch.manual_seed(seed)
    attachment = attach(petl)
    for name, parameter in attachment.trained_parameters().items():
        generator = torch.Generator().manual_seed(0 if any(each in name for each in same) else seed)
        parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    about = {"petl": [method.config.model_dump(mode="json") for method in attachment.methods]}
    return Bundle(Path("bundle"), about, {name: tensor.clone() for name, tensor in attachment.state().items()})


def merged(one: Bundle) -> dict[str, torch.Tensor]:
    attachment = attach(one.about["petl"])
    attachment.load(one.tensors, "test")
    if attachment.built():
        attachment.merge()
    return attachment.backbone.state_dict()


def mean(one: Bundle, other: Bundle) -> Bundle:
    return average_bundles({"one": 0.25, "other": 0.75}, {"one": one, "other": other}, one)


def check(one: Bundle, other: Bundle) -> None:
    found, first, second = merged(mean(one, other)), merged(one), merged(other)
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, 0.25 * first[name] + 0.75 * second[name], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("petl", "other"),
    [
        *((petl, None) for petl in ("ssf", "ssf+lora", "full+lora", "lora+bitfit", "layer_norm+ia3")),
        ([{"name": "ia3", "sites": "layer.*.attn.[kv]"}, "lora"], None),
        ({"name": "lora", "rank": 20}, None),  # of a width of 32
        ({"name": "lora", "rank": 9, "init": "pissa"}, None),
        ("lora", {"name": "lora", "rank": 4, "alpha": 3.0, "rslora": True}),
        ("lora", {"name": "lora", "init": "pissa"}),
        ("lora", {"name": "lora", "sites": "layer.[0-2].attn.* layer.[0-2].ffn.*"}),  # the default in other words
    ],
)
def test_is_exact(petl, other):
    check(bundle(petl, 1), bundle(other or petl, 2))


@pytest.mark.parametrize(
    ("petl", "message"),
    [
        *(
            (f"{one}+ssf", f"ssf.*scales the change of {one}")
            for one in ("lora", "bitfit", "full", "layer_norm", "ssf")
        ),
        ("ssf+layer_norm", "ssf.*norm.* it scales the change of layer_norm"),
        (["lora", IA3_FFN], r"ia3\): at layer.0.ffn.out it scales the change of lora"),
        ([IA3_FFN, "lora"], "ia3.*layer.0.ffn.out it scales the change of lora"),
        ([IA3_FFN | {"sites": "layer.*.ffn.out layer.*.after_activation"}], "layer.0.ffn.out it scales the change of"),
    ],
)
def test_products_are_refused(petl, message):
    with pytest.raises(SureError, match=message):
        mean(bundle(petl, 1), bundle(petl, 2))


@pytest.mark.parametrize("same", [("ssf",), ("lora/a", "lora/b")])
def test_a_product_is_exact_if_one_factor_is_equal_in_all(same):
    petl = [{"name": "lora", "init": "orthogonal", "rank": 32, "sites": "layer.*.attn.q"}, "ssf"]
    one, other = bundle(petl, 1, same), bundle(petl, 2, same)
    for name in other.tensors:  # the random start of A too
        if same[0] != "ssf" and "lora" in name:
            other.tensors[name] = one.tensors[name]
    check(one, other)


@pytest.mark.parametrize("petl", ["linear_probe", "weighted_sum", "l_adapter"])
def test_methods_without_tensors_in_the_backbone_have_no_mean(petl):
    with pytest.raises(SureError, match="one, other: these adapters change nothing in the backbone"):
        mean(bundle(petl, 1), bundle(petl, 2))
    with pytest.raises(SureError, match="'other' has nothing in the backbone, others have lora"):
        mean(bundle("lora", 1), bundle(petl, 2))
