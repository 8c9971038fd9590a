"""Counts of trained parameters on published shapes, as the methods' publications give them, and the table of them."""

import re
from pathlib import Path

import pytest
import torch
from models import attach

from sure import registry
from sure.bin import methods
from sure.config import petl_settings
from sure.errors import SureError
from sure.petl import lora
from sure.report.method_table import markdown

DOCS = Path(registry.__file__).parents[1] / "docs" / "methods.md"
QV = "layer.*.attn.[qv]"
COUNTS = [  # backbone and shape, settings, trained parameters; docs/methods.md has the counts of the defaults
    ("wav2vec2 base", "full", 94_371_712),
    ("wav2vec2 base", {"name": "bottleneck", "width": 64}, 1_189_632),
    ("wav2vec2 base", {"name": "prefix", "reparametrise": True}, 14_787_840),
    ("wav2vec2 base", {"name": "lora", "sites": QV}, 294_912),
    ("wav2vec2 base", {"name": "dora", "sites": QV}, 313_344),
    ("wav2vec2 base", {"name": "conv_adapter", "width": 768 // 4}, 969_984),
    ("fastspeech2 base", "bottleneck", 659_200),  # 4 + 6 layers of SURE's model (arXiv 2303.03267)
    ("fastspeech2 base", "conv_adapter", 108_800),
    ("fastspeech2 base", "prefix", 153_600),
    ("fastspeech2 base", {"name": "lora", "sites": QV}, 81_920),
    ("fastspeech2 base", {"name": "lora", "sites": f"encoder.{QV} decoder.layer.[0-5].attn.[qv]"}, 81_920),
    ("fastspeech2 base", {"name": "bitfit", "sites": "layer.*.norm.*"}, 10 * 2 * 256),
]


@pytest.mark.parametrize(("backbone", "petl", "count"), COUNTS)
def test_count(backbone, petl, count):
    family, shape = backbone.split()
    Backbone = registry.find("backbones", family)
    with torch.device("meta"):
        attachment = attach(petl, Backbone(Backbone.shapes[shape]))
    assert sum(parameter.numel() for parameter in attachment.trained_parameters().values()) == count
    assert sum(row.parameters for row in attachment.coverage) == count


def test_the_command_takes_backbones_names_combinations_and_settings(capsys):
    words = ["lora+prefix", '{name: lora, sites: "layer.*.attn.[qv]"}']
    methods.main(["--backbone", "whisper", "whisper_tiny_en", "data2vec_audio_tiny", "--petl", *words])
    rows = [line.split(" | ")[3::2] for line in capsys.readouterr().out.splitlines()[2:]]
    assert rows == [["313,344", "313,344", "16,512"], ["49,152", "49,152", "3,072"]]
    methods.main(["--backbone", "fastspeech2"])
    listed = {line.split()[1].strip("`") for line in capsys.readouterr().out.splitlines()[2:]}
    assert set(registry.names("petl")) - listed == {"cnn_adapter", "l_adapter", "weighted_sum"}
    for more, message in (
        (["--backbone", "whisper", "--petl", "modules"], "'variance.\\*' matches nothing"),
        (["--petl", "lara"], "did you mean 'lora'"),
        (["--petl", "{name: [}"], "neither a name nor settings"),
    ):
        with pytest.raises(SureError, match=message):
            methods.main(more)


def test_a_method_without_a_docstring_is_named_with_its_file(monkeypatch):
    monkeypatch.setattr(lora, "__doc__", None)
    with pytest.raises(SureError, match=r"petl/lora\.py has no docstring"):
        methods.main(["--petl", "lora"])


def test_the_table_in_docs_is_current():
    """Every row that is there; a new method need not be listed to be used."""
    text = DOCS.read_text()
    listed = re.findall(r"^\| `(\w+)`", text, re.MULTILINE)
    assert len(listed) >= 14 and "modules" in listed
    Backbone = registry.find("backbones", "wav2vec2")
    with torch.device("meta"):
        backbones = {f"wav2vec2_{shape}": Backbone(Backbone.shapes[shape]) for shape in ("base", "large")}
        Synthesizer = registry.find("backbones", "fastspeech2")
        backbones["fastspeech2"] = Synthesizer(Synthesizer.shapes["base"])
        made = markdown(backbones, {name: petl_settings(name) for name in listed})
    assert text.endswith(made), "run: python -m sure.bin.methods --out docs/methods.md"
