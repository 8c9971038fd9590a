"""Site patterns name exactly the sites a reader would expect, and never nothing in silence."""

import re

import pytest

from sure.backbones.base import Site
from sure.errors import SureError
from sure.petl.patterns import match_sites, spell_out, summary

SITES = [
    Site(f"layer.{layer}.{place}", kind, 8, 8, layer)
    for layer in range(12)
    for place, kind in [("attn.q", "linear"), ("attn.v", "linear"), ("attn", "attention"), ("after_ffn", "residual")]
] + [Site("conv.0", "convolution", 1, 8)]


def names(patterns, kinds=("linear", "residual", "attention", "convolution")):
    return [site.name for found in match_sites(patterns, SITES, kinds, "test").values() for site in found]


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ("layer.3.attn.q", ["layer.3.attn.q"]),
        ("layer.[9-11].after_ffn", ["layer.9.after_ffn", "layer.10.after_ffn", "layer.11.after_ffn"]),
        ("layer.2.attn.[qv]", ["layer.2.attn.q", "layer.2.attn.v"]),
        ("layer.2.attn.*", ["layer.2.attn.q", "layer.2.attn.v"]),
        ("layer.{0,11}.attn", ["layer.0.attn", "layer.11.attn"]),
        ("conv.0 layer.1.attn.q", ["conv.0", "layer.1.attn.q"]),
        ("layer.[11].attn.q", ["layer.11.attn.q"]),
        ("layer.[10,11].attn.q", ["layer.10.attn.q", "layer.11.attn.q"]),
        ("layer.[0-1,11].attn", ["layer.0.attn", "layer.1.attn", "layer.11.attn"]),
        ("layer.[1,0-1].attn.[v,q]", ["layer.0.attn.q", "layer.0.attn.v", "layer.1.attn.q", "layer.1.attn.v"]),
        ("layer.3.{attn.q,after_ffn}", ["layer.3.attn.q", "layer.3.after_ffn"]),
        ("layer.1*.attn", ["layer.10.attn", "layer.11.attn"]),
    ],
)
def test_names(patterns, wanted):
    assert names(patterns) == wanted


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ("layer.[6-11].*", "layer.[6-11].attn.* layer.[6-11].ffn.*"),
        ("layer.*.* conv.0", "layer.*.attn.* layer.*.ffn.* conv.0"),
        ("layer.{0,5}.attn.q", "layer.{0,5}.attn.q"),
    ],
)
def test_whole_layers_are_the_usual_places_there(patterns, wanted):
    assert spell_out(patterns, "conv.* layer.*.attn.* layer.*.ffn.*") == wanted


def test_star_is_one_part():
    assert len(names("layer.*.after_ffn")) == 12
    assert "layer.0.attn" not in names("layer.*.attn.*")


@pytest.mark.parametrize("pattern", ["layer.*.attn.k", "layer.12.attn.q", "layer.[10-12].after_ffn", "layers.*.attn.q"])
def test_nothing_matched_is_an_error(pattern):
    with pytest.raises(SureError, match="matches nothing") as error:
        names(pattern)
    assert "layer.[0-11].after_ffn" in str(error.value)


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        ("layer.[12].attn.q", "layer.12.attn.q"),
        ("layer.{10,12,24}.attn.q", "layer.12.attn.q"),
        ("layer.0.attn.[qx]", "layer.0.attn.x"),
        ("layer.[0-3].attn.{q,w}", "layer.[0-3].attn.w"),
        ("layer.{6-11}.attn.q", "layer.6-11.attn.q"),
    ],
)
def test_each_number_letter_and_word_has_to_match(pattern, where):
    with pytest.raises(SureError, match=re.escape(f"{pattern!r} matches nothing at {where!r}")):
        names(pattern)


@pytest.mark.parametrize("inside", ["-1", "6-", "-6", "!0", "^0", "", "0,", "01", "a-11", "q-v", "0-1-2", "+1", "٣"])
def test_other_brackets_are_an_error(inside):
    with pytest.raises(SureError, match=re.escape(f"[{inside}] cannot be read")):
        names(f"layer.[{inside}].attn.q")


@pytest.mark.parametrize(
    "pattern", ["layer.[0, 1].attn", "layer.{0,1.attn", "layer.0.{attn.[qv],after_ffn}", "layer.{0,}"]
)
def test_brackets_without_an_end_or_inside_others_are_an_error(pattern):
    with pytest.raises(SureError, match="brackets cannot be read"):
        names(pattern)


def test_a_choice_needs_no_match_with_every_other():
    """Stacks of different depth: each number is somewhere."""
    sites = [Site(f"{stack}.layer.{n}.attn", "attention", 8, 8, n) for stack, n in [("a", 0), ("b", 0), ("b", 1)]]
    matched = match_sites("{a,b}.layer.[0-1].attn", sites, ("attention",), "test")
    assert next(iter(matched.values())) == sites


def test_wrong_kind_is_an_error():
    with pytest.raises(SureError, match="site of kind 'attention'"):
        names("layer.0.attn", kinds=("linear",))


def test_backward_range_is_an_error():
    with pytest.raises(SureError, match="backwards"):
        names("layer.[11-6].attn.q")


def test_summary_folds_layers():
    assert summary(SITES) == (
        "layer.[0-11].attn.q, layer.[0-11].attn.v, layer.[0-11].attn, layer.[0-11].after_ffn, conv.[0-0]"
    )
