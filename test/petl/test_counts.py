"""Every method's count of trained parameters on the base and large shapes, as its publication's formula gives it."""

import re
from pathlib import Path

import pytest

from sure import registry
from sure.bin import methods
from sure.config import petl_settings
from sure.errors import SureError
from sure.petl.attach import Attachment
from sure.petl.method_table import markdown

BASE, LARGE = "random", "random:large"
DOCS = Path(registry.__file__).parents[1] / "docs" / "methods.md"

COUNTS = [
    ("full", {}, BASE, 94_371_712),
    ("full", {}, LARGE, 315_438_720),
    ("linear_probe", {}, BASE, 0),
    ("weighted_sum", {}, BASE, 13),
    ("weighted_sum", {}, LARGE, 25),
    ("bottleneck", {}, BASE, 7_091_712),
    ("bottleneck", {}, LARGE, 25_202_688),
    ("bottleneck", {"width": 64}, BASE, 1_189_632),
    ("bottleneck", {"width": 64}, LARGE, 3_171_840),
    ("prefix", {}, BASE, 552_960),
    ("prefix", {}, LARGE, 1_474_560),
    ("prefix", {"reparametrise": True}, BASE, 14_787_840),
    ("prefix", {"reparametrise": True}, LARGE, 51_461_120),
    ("lora", {}, BASE, 1_327_104),
    ("lora", {}, LARGE, 3_538_944),
    ("lora", {"sites": "layer.*.attn.[qv]"}, BASE, 294_912),
    ("lora", {"sites": "layer.*.attn.[qv]"}, LARGE, 786_432),
    ("conv_adapter", {}, BASE, 981_504),
    ("conv_adapter", {}, LARGE, 3_403_776),
    ("conv_adapter", {"width": 768 // 4}, BASE, 969_984),
    ("conv_adapter", {"width": 768 // 8}, BASE, 964_224),
    ("conv_adapter", {"width": 768 // 16}, BASE, 961_344),
    ("bitfit", {}, BASE, 101_376),
    ("layer_norm", {}, BASE, 36_864),
    ("adapter_bias", {}, BASE, 18_444),
    ("houlsby", {}, BASE, 2_379_264),
    ("ia3", {}, BASE, 55_296),
    ("ssf", {}, BASE, 202_752),
    ("compacter", {}, BASE, 58_816),
    ("dora", {"sites": "layer.*.attn.[qv]"}, BASE, 313_344),
    ("cnn_adapter", {}, BASE, 4_200_448),
    ("mam", {}, BASE, 5_283_840),
    ("unipelt", {}, BASE, 1_410_672),
    ("e_adapter", {}, BASE, 4_749_312),
    ("l_adapter", {}, BASE, 4_737_024),
]


@pytest.fixture(scope="module")
def backbones():
    """One backbone of each shape; attached modules are taken out again between the tests."""
    family = registry.find("backbones", "wav2vec2")
    return {weights: family.from_weights(weights) for weights in (BASE, LARGE)}


@pytest.mark.parametrize(("name", "settings", "weights", "count"), COUNTS)
def test_count(backbones, name, settings, weights, count):
    backbone = backbones[weights]
    method = registry.find("petl", name)
    attachment = Attachment(backbone, [method(method.Config(name=name, **settings))])
    try:
        assert sum(parameter.numel() for parameter in attachment.trained_parameters().values()) == count
        assert sum(row.parameters for row in attachment.coverage()) == count
    finally:
        attachment.detach()


def test_reparametrised_prefix_saves_the_plain_one(backbones):
    method = registry.find("petl", "prefix")
    attachment = Attachment(backbones[BASE], [method(method.Config(name="prefix", reparametrise=True))])
    try:
        assert sum(tensor.numel() for tensor in attachment.state().values()) == 552_960
    finally:
        attachment.detach()


def test_a_detached_backbone_is_as_it_was(backbones):
    backbone = backbones[BASE]
    before = list(backbone.state_dict())
    attached = [(name, registry.find("petl", name)) for name in ("lora", "bottleneck", "bitfit")]
    attachment = Attachment(backbone, [method(method.Config(name=name)) for name, method in attached])
    assert len(backbone.state_dict()) > len(before)
    attachment.detach()
    assert list(backbone.state_dict()) == before
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("whisper", "random:whisper_tiny_en:0"),
        ("whisper_tiny_en", "random:whisper_tiny_en:0"),
        ("data2vec_audio_tiny", "random:data2vec_audio_tiny:0"),
    ],
)
def test_a_backbone_is_named_by_family_and_shape(name, sha256):
    assert methods._random(name).sha256 == sha256


def test_an_unknown_backbone_is_named():
    with pytest.raises(SureError, match="no 'wav3vec' in sure/backbones"):
        methods._random("wav3vec")


def test_the_command_takes_names_combinations_and_settings(capsys):
    words = ["lora+prefix", '{name: lora, sites: "layer.*.attn.[qv]"}']
    methods.main(["--backbone", "wav2vec2_base", "--petl", *words])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[3] for row in rows] == ["1,880,064", "294,912"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("lara", "did you mean 'lora'"),
        ("{name: lora, rnk: 3}", "unknown key 'rnk'"),
        ("{name: [}", "neither a name nor settings"),
    ],
)
def test_wrong_words_are_named(word, message):
    with pytest.raises(SureError, match=message):
        methods.main(["--petl", word])


def test_the_table_in_docs_is_current(backbones):
    """Every row that is there; a new method need not be listed to be used."""
    text = DOCS.read_text()
    listed = re.findall(r"^\| `(\w+)`", text, re.MULTILINE)
    assert len(listed) >= 14
    settings = {name: petl_settings(name) for name in listed}
    made = markdown({"wav2vec2_base": backbones[BASE], "wav2vec2_large": backbones[LARGE]}, settings)
    assert text.endswith(made), "run: python -m sure.bin.methods --out docs/methods.md"
