"""Site patterns match exactly the sites that they name; a part that matches nothing is an error."""

import re

import pytest

from sure.backbones.base import Site
from sure.errors import SureError
from sure.petl.patterns import halves, match_sites, spell_out, summary

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
        ("layer.[9-11].after_ffn", "layer.9.after_ffn layer.10.after_ffn layer.11.after_ffn"),
        ("layer.{0,11}.attn", "layer.0.attn layer.11.attn"),
        ("conv.0 layer.1.attn.q", "conv.0 layer.1.attn.q"),
        ("layer.[0-1,11].attn", "layer.0.attn layer.1.attn layer.11.attn"),
        ("layer.[1,0-1].attn.[v,q]", "layer.0.attn.q layer.0.attn.v layer.1.attn.q layer.1.attn.v"),
        ("layer.3.{attn.q,after_ffn}", "layer.3.attn.q layer.3.after_ffn"),
        ("layer.1*.attn", "layer.10.attn layer.11.attn"),
        ("layer.*.after_ffn", " ".join(f"layer.{layer}.after_ffn" for layer in range(12))),
        ("layer.[upper].after_ffn", " ".join(f"layer.{layer}.after_ffn" for layer in range(6, 12))),
    ],
)
def test_names(patterns, wanted):
    assert names(patterns) == wanted.split()


def test_half_of_the_layers_is_that_of_each_stack():
    sites = [
        Site(f"{stack}.layer.{layer}.output", "tap", 4, 4)
        for stack, count in (("encoder", 6), ("decoder", 3))
        for layer in range(count)
    ]
    assert halves("layer.[upper].*", sites) == ["encoder.layer.[3-5].*", "decoder.layer.[1-2].*"]
    assert halves("layer.[lower].*", sites) == ["encoder.layer.[0-2].*", "decoder.layer.[0-0].*"]
    assert halves("decoder.layer.[upper].attn", sites) == ["decoder.layer.[1-2].attn"]
    assert halves("layer.[0-1].*", sites) == ["layer.[0-1].*"]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("layer.[6-11].*", ["layer.[6-11].attn.*", "layer.[6-11].ffn.*"]),
        ("layer.*.*", ["layer.*.attn.*", "layer.*.ffn.*"]),
        ("layer.{0,5}.attn.q", ["layer.{0,5}.attn.q"]),
    ],
)
def test_whole_layers_stand_for_the_default_sites_in_them(pattern, wanted):
    assert spell_out(pattern, "conv.* layer.*.attn.* layer.*.ffn.*") == wanted


KNOWN = "layer.[0-11].attn.q, layer.[0-11].attn.v, layer.[0-11].attn, layer.[0-11].after_ffn, conv.[0-0]"
NOTHING = {  # pattern: the part that matches nothing; each number, letter and word must match
    "layer.*.attn.k": "",
    "layer.12.attn.q": "",
    "layer.[10-12].after_ffn": "layer.12.after_ffn",
    "layer.{10,12,24}.attn.q": "layer.12.attn.q",
    "layer.0.attn.[qx]": "layer.0.attn.x",
    "layer.[0-3].attn.{q,w}": "layer.[0-3].attn.w",
    "layer.{6-11}.attn.q": "layer.6-11.attn.q",
}
UNREADABLE = ["layer.[0, 1].attn", "layer.{0,1.attn", "layer.0.{attn.[qv],after_ffn}", "layer.{0,}"]
INSIDE = ["-1", "6-", "-6", "!0", "^0", "", "0,", "01", "a-11", "q-v", "0-1-2", "+1", "٣"]  # of brackets
ERRORS = [
    *((pattern, f"{pattern!r} matches nothing{where and f' at {where!r}'}") for pattern, where in NOTHING.items()),
    *((pattern, f"sites are: {KNOWN}") for pattern in list(NOTHING)[:1]),
    *((f"layer.[{inside}].attn.q", f"[{inside}] cannot be read") for inside in INSIDE),
    *((pattern, "brackets cannot be read") for pattern in UNREADABLE),
    ("conv.0", "site of kind 'convolution'; test accepts: linear, attention"),
    ("layer.[11-6].attn.q", "the range is backwards"),
]


@pytest.mark.parametrize(("pattern", "message"), ERRORS)
def test_errors(pattern, message):
    with pytest.raises(SureError, match=re.escape(message)):
        names(pattern, kinds=("linear", "attention"))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("layer.[6-12].*", "'layer.[6-12].*' (that is, 'layer.[6-12].attn') matches nothing at 'layer.12.attn'"),
        ("layer.[6-2].*", "'layer.[6-2].*': the range is backwards"),
        ("conv.*", "'conv.*' matches conv.0, a site of kind 'convolution'"),
    ],
)
def test_errors_begin_with_the_pattern_as_given(pattern, message):
    with pytest.raises(SureError, match=f"site pattern {re.escape(message)}"):
        match_sites(pattern, SITES, ("attention",), "test", usual="layer.*.attn")


def test_a_choice_needs_no_match_with_every_other():
    """In stacks of different depth, each number must match in one of them."""
    sites = [Site(f"{stack}.layer.{n}.attn", "attention", 8, 8, n) for stack, n in [("a", 0), ("b", 0), ("b", 1)]]
    matched = match_sites("{a,b}.layer.[0-1].attn", sites, ("attention",), "test")
    assert next(iter(matched.values())) == sites
    assert summary(sites) == "a.layer.[0-0].attn, b.layer.[0-1].attn"
