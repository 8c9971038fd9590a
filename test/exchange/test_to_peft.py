"""PEFT loads our exports onto the original model and computes the same."""

import json

import peft
import pytest
from pairs import TOLERANCE, check_equal, distance, encoded, exported, ours, pair, with_families, written
from safetensors.torch import load_file

from sure.errors import SureError
from sure.exchange.to_peft import peft_files

RANGES = [
    {"name": "lora", "sites": "layer.[0-1].ffn.*", "rank": 2, "alpha": 3},
    {"name": "lora", "sites": "layer.2.ffn.in", "rank": 5, "alpha": 4, "dropout": 0.2},
]
PETL = {
    "lora": {"name": "lora", "rank": 3},
    "dora": {"name": "dora", "rank": 2, "alpha": 5},
    "layer_norm": {"name": "layer_norm"},
    "norms of two layers": {"name": "layer_norm", "sites": "layer.[1-2].norm.ffn"},
    "ranges": RANGES,
    "lora and norms": [{"name": "lora"}, {"name": "layer_norm", "sites": "layer.1.norm.*"}, {"name": "weighted_sum"}],
    "ia3": {"name": "ia3"},
    "ia3 of outputs": {"name": "ia3", "sites": "layer.*.ffn.in layer.0.ffn.out layer.1.after_activation"},
    "ia3 and norms": [{"name": "ia3"}, {"name": "layer_norm", "sites": "layer.0.norm.*"}],
    "dora and norms": [{"name": "dora"}, {"name": "layer_norm"}],
}


def at_called_maps(petl, family):
    """The same methods at maps that transformers' model calls; its WavLM calls those of the FFN alone."""
    usual = {"lora": "layer.*.ffn.*", "dora": "layer.*.ffn.*", "ia3": "layer.*.after_activation"}
    methods = petl if isinstance(petl, list) else [petl]
    called = [{"sites": usual[one["name"]], **one} if one["name"] in usual else one for one in methods]
    return called if family == "wavlm" else petl


@pytest.mark.parametrize(("family", "size", "name"), with_families(PETL))
def test_peft_computes_the_same(tmp_path, family, size, name):
    model, theirs = pair(tmp_path, family, size, at_called_maps(PETL[name], family))
    plain = encoded(theirs)
    _, adapted = exported(model, theirs, tmp_path)
    check_equal(ours(model), encoded(adapted))
    assert distance(plain, encoded(adapted)) > 0.01


def stabilised(*given):
    """LoRAs with the given ranks, and with `rslora` or not."""
    places = ("layer.0.*.out", "layer.[1-2].ffn.in")
    return [
        {"name": "lora", "sites": sites, "rank": rank, "alpha": 6, "rslora": rslora}
        for sites, (rank, rslora) in zip(places, given, strict=True)
    ]


LAST = "encoder.layers.2.feed_forward.intermediate_dense"
# Methods, and settings of PEFT. `use_rslora` is one setting for a whole folder; otherwise alpha makes up for it.
SETTINGS = {
    "ranges": (RANGES, {"r": 2, "lora_alpha": 3, "rank_pattern": {LAST: 5}, "alpha_pattern": {LAST: 4}}),
    "stabilised": (stabilised((4, True), (4, True)), {"use_rslora": True, "lora_alpha": 6, "alpha_pattern": {}}),
    "stabilised, two ranks": (stabilised((4, True), (2, True)), {"use_rslora": True, "alpha_pattern": {}}),
    "partly stabilised": (stabilised((4, True), (4, False)), {"use_rslora": False}),
    "partly stabilised, two ranks": (stabilised((4, True), (2, False)), {"use_rslora": False}),
    "principal directions": ({"name": "lora", "rank": 3, "init": "pissa", "rslora": True}, {"r": 6}),
    "dropout": ({"name": "lora", "dropout": 0.1}, {"lora_dropout": 0.1}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(tmp_path, name):
    petl, settings = SETTINGS[name]
    model, theirs = pair(tmp_path, "wav2vec2", "base", petl)
    config, adapted = exported(model, theirs, tmp_path)
    assert {key: config[key] for key in settings} == settings
    check_equal(ours(model), encoded(adapted))


def test_attached_and_frozen_methods_are_exported(tmp_path):
    model, theirs = pair(tmp_path, "wav2vec2", "base", [{"name": "layer_norm", "sites": "layer.*.norm.ffn"}, "lora"])
    model.attachment.methods[0].config.trains = False
    model.backbone.requires_grad_(False)
    config, adapted = exported(model, theirs, tmp_path)
    assert len(config["modules_to_save"]) == 3
    check_equal(ours(model), encoded(adapted))


def test_head_readout_and_name_of_the_base_model_are_kept(tmp_path):
    model, _ = pair(tmp_path, "wav2vec2", "base", ["lora", "weighted_sum"])
    files, notes = peft_files(model, "somewhere")
    assert json.loads(files["adapter_config.json"])["base_model_name_or_path"] == "somewhere"
    kept = load_file(f"{written(tmp_path / 'peft', files)}/sure_head.safetensors")
    wanted = {name for name in model.state() if name.startswith(("head/", "readout/"))}
    assert set(kept) == wanted and "readout/weighted_sum/weights" in wanted
    assert any("sure_head.safetensors" in note for note in notes)


@pytest.mark.parametrize("place", ["q", "k", "v", "out"])
def test_wavlm_attention_is_refused_because_peft_does_nothing_there(tmp_path, place):
    model, theirs = pair(tmp_path, "wavlm", "base", {"name": "lora", "sites": f"layer.*.attn.{place}"})
    with pytest.raises(SureError, match=rf"layer.0.attn.{place} is .*{place}_proj.*--to transformers"):
        peft_files(model, None)
    # the reason: this fails if a later version of transformers calls these maps
    before = encoded(theirs)
    for name, nothing in {f"{place}_proj": True, "intermediate_dense": False}.items():
        config = peft.LoraConfig(target_modules=[name], init_lora_weights=False)
        adapted = peft.get_peft_model(theirs, config).eval()
        assert (distance(before, encoded(adapted)) < TOLERANCE) == nothing
        theirs = adapted.unload()
