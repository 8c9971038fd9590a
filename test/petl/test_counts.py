"""Every method's count of trained parameters on the base and large shapes, as its publication's formula gives it."""

import re
from pathlib import Path

import pytest
from models import attach

from sure import registry
from sure.bin import methods
from sure.config import petl_settings
from sure.errors import SureError
from sure.report.method_table import markdown

BASE, LARGE = "random", "random:large"
DOCS = Path(registry.__file__).parents[1] / "docs" / "methods.md"
QV = {"sites": "layer.*.attn.[qv]"}
COUNTS = [  # method, settings, parameters on the base and the large shape
    ("full", {}, 94_371_712, 315_438_720),
    ("linear_probe", {}, 0, None),
    ("weighted_sum", {}, 13, 25),
    ("bottleneck", {}, 7_091_712, 25_202_688),
    ("bottleneck", {"width": 64}, 1_189_632, 3_171_840),
    ("prefix", {}, 552_960, 1_474_560),
    ("prefix", {"reparametrise": True}, 14_787_840, 51_461_120),
    ("lora", {}, 1_327_104, 3_538_944),
    ("lora", QV, 294_912, 786_432),
    ("conv_adapter", {}, 981_504, 3_403_776),
    ("conv_adapter", {"width": 768 // 4}, 969_984, None),
    ("conv_adapter", {"width": 768 // 8}, 964_224, None),
    ("conv_adapter", {"width": 768 // 16}, 961_344, None),
    ("bitfit", {}, 101_376, None),
    ("layer_norm", {}, 36_864, None),
    ("adapter_bias", {}, 18_444, None),
    ("houlsby", {}, 2_379_264, None),
    ("ia3", {}, 55_296, None),
    ("ssf", {}, 202_752, None),
    ("compacter", {}, 58_816, None),
    ("dora", QV, 313_344, None),
    ("cnn_adapter", {}, 4_200_448, None),
    ("mam", {}, 5_283_840, None),
    ("unipelt", {}, 1_410_672, None),
    ("e_adapter", {}, 4_749_312, None),
    ("l_adapter", {}, 4_737_024, None),
]


@pytest.fixture(scope="module")
def backbones():
    """One backbone of each shape; the tests detach what they attach."""
    family = registry.find("backbones", "wav2vec2")
    return {weights: family.from_weights(weights) for weights in (BASE, LARGE)}


@pytest.mark.parametrize(("name", "settings", "base", "large"), COUNTS)
def test_count(backbones, name, settings, base, large):
    for weights, count in ((BASE, base), (LARGE, large)):
        if count is None:
            continue
        before = list(backbones[weights].state_dict())
        attachment = attach({"name": name, **settings}, backbones[weights])
        try:
            assert sum(parameter.numel() for parameter in attachment.trained_parameters().values()) == count
            assert sum(row.parameters for row in attachment.coverage) == count
            if settings == {"reparametrise": True} and weights == BASE:  # the plain prefix is saved
                assert sum(tensor.numel() for tensor in attachment.state().values()) == 552_960
        finally:
            attachment.detach()
        assert list(backbones[weights].state_dict()) == before
        assert not any(parameter.requires_grad for parameter in backbones[weights].parameters())


def test_a_backbone_is_named_by_family_and_shape():
    for name, sha256 in (("whisper", "whisper_tiny_en"), ("whisper_tiny_en",) * 2, ("data2vec_audio_tiny",) * 2):
        assert methods._random(name).sha256 == f"random:{sha256}:0"
    with pytest.raises(SureError, match="no 'wav3vec' in sure/backbones"):
        methods._random("wav3vec")


def test_the_command_takes_names_combinations_and_settings(capsys):
    words = ["lora+prefix", '{name: lora, sites: "layer.*.attn.[qv]"}']
    methods.main(["--backbone", "wav2vec2_base", "--petl", *words])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[3] for row in rows] == ["1,880,064", "294,912"]
    wrong = {
        "lara": "did you mean 'lora'",
        "{name: lora, rnk: 3}": "key 'rnk'",
        "{name: [}": "neither a name nor settings",
    }
    for word, message in wrong.items():
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
