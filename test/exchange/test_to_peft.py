"""What we export for PEFT is what PEFT computes: the real library loads it onto the real model."""

import json

import peft
import pytest
from pairs import SMALL, TOLERANCE, distance, encoded, load_peft, ours, pair, with_families, written
from safetensors.torch import load_file

from sure import registry
from sure.errors import SureError
from sure.exchange.to_peft import peft_files

RANGES = [
    {"name": "lora", "sites": "layer.[0-1].ffn.* layer.0.attn.[qv]", "rank": 2, "alpha": 3},
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


def called(petl, family):
    """The same methods at maps that transformers' model calls; its WavLM calls those of the FFN alone."""
    if family != "wavlm":
        return petl
    methods = petl if isinstance(petl, list) else [petl]
    of_attention = {"layer.[0-1].ffn.* layer.0.attn.[qv]": "layer.[0-1].ffn.*"}
    ffn = {"lora": "layer.*.ffn.*", "dora": "layer.*.ffn.*", "ia3": "layer.*.after_activation"}
    return [
        {**one, "sites": of_attention.get(one.get("sites"), one.get("sites", ffn[one["name"]]))}
        if one["name"] in ffn
        else one
        for one in methods
    ]


@pytest.mark.parametrize(("family", "size", "name"), with_families(PETL))
def test_peft_computes_the_same(tmp_path, family, size, name):
    model, theirs = pair(tmp_path, family, size, called(PETL[name], family))
    plain = encoded(theirs)
    files, _ = peft_files(model, None)
    adapted = load_peft(theirs, written(tmp_path / "peft", files))
    assert distance(ours(model), encoded(adapted)) < TOLERANCE
    assert distance(plain, encoded(adapted)) > 0.01  # it does something


def test_ranks_and_alphas_that_differ_are_patterns(tmp_path):
    model, _ = pair(tmp_path, "wav2vec2", "base", RANGES)
    config = json.loads(peft_files(model, "somewhere")[0]["adapter_config.json"])
    name = "encoder.layers.2.feed_forward.intermediate_dense"
    assert (config["r"], config["lora_alpha"]) == (2, 3)
    assert (config["rank_pattern"], config["alpha_pattern"]) == ({name: 5}, {name: 4})
    assert config["base_model_name_or_path"] == "somewhere" and len(config["target_modules"]) == 7


@pytest.mark.parametrize("ranks", [(4, 4), (4, 2)])
@pytest.mark.parametrize("stabilised", [(True, True), (True, False)])
def test_rank_stabilised(tmp_path, ranks, stabilised):
    """A PEFT folder is so as a whole or not at all; then alpha makes up for it."""
    places = ("layer.0.*.out", "layer.[1-2].ffn.in")
    petl = [
        {"name": "lora", "sites": sites, "rank": rank, "alpha": 6, "rslora": rslora}
        for sites, rank, rslora in zip(places, ranks, stabilised, strict=True)
    ]
    model, theirs = pair(tmp_path, "wav2vec2", "base", petl)
    files, _ = peft_files(model, None)
    config = json.loads(files["adapter_config.json"])
    assert config["use_rslora"] == all(stabilised)
    assert not all(stabilised) or (config["lora_alpha"] == 6 and not config["alpha_pattern"])
    adapted = load_peft(theirs, written(tmp_path / "peft", files))
    assert distance(ours(model), encoded(adapted)) < TOLERANCE


def test_principal_directions_are_lora_of_twice_the_rank(tmp_path):
    model, theirs = pair(tmp_path, "wav2vec2", "base", {"name": "lora", "rank": 3, "init": "pissa", "rslora": True})
    files, _ = peft_files(model, None)
    assert json.loads(files["adapter_config.json"])["r"] == 6
    assert distance(ours(model), encoded(load_peft(theirs, written(tmp_path / "peft", files)))) < TOLERANCE


def test_what_is_attached_and_frozen_is_exported(tmp_path):
    petl = [{"name": "layer_norm", "sites": "layer.*.norm.ffn"}, "lora"]
    model, theirs = pair(tmp_path, "wav2vec2", "base", petl)
    model.attachment.methods[0].config.trains = False
    for parameter in model.backbone.parameters():
        parameter.requires_grad_(False)
    files, _ = peft_files(model, None)
    assert len(json.loads(files["adapter_config.json"])["modules_to_save"]) == 3
    assert distance(ours(model), encoded(load_peft(theirs, written(tmp_path / "peft", files)))) < TOLERANCE


@pytest.mark.parametrize("family", ["wav2vec2", "wavlm", "moonshine"])
@pytest.mark.parametrize("name", [n for n in registry.names("petl") if registry.find("petl", n).encoders])
def test_every_method_is_exported_right_or_refused(tmp_path, name, family):
    model, theirs = pair(tmp_path, family, "base", SMALL.get(name, name))
    try:
        files, _ = peft_files(model, None)
    except SureError as error:
        assert name in str(error)
    else:
        assert distance(ours(model), encoded(load_peft(theirs, written(tmp_path / "peft", files)))) < TOLERANCE


def test_dropout_is_kept_where_there_is_one(tmp_path):
    model, _ = pair(tmp_path, "wav2vec2", "base", {"name": "lora", "dropout": 0.1})
    assert json.loads(peft_files(model, None)[0]["adapter_config.json"])["lora_dropout"] == 0.1


def test_head_and_readout_lie_beside(tmp_path):
    model, _ = pair(tmp_path, "wav2vec2", "base", ["lora", "weighted_sum"])
    files, notes = peft_files(model, None)
    kept = load_file(f"{written(tmp_path / 'peft', files)}/sure_head.safetensors")
    wanted = {name for name in model.state() if name.startswith(("head/", "readout/"))}
    assert set(kept) == wanted and "readout/weighted_sum/weights" in wanted
    assert any("sure_head.safetensors" in note for note in notes)


REFUSED = {
    "bottleneck": ("bottleneck", "bottleneck.*layer.0.after_ffn.*lora, dora or ia3"),
    "conv_adapter": ("conv_adapter", "conv_adapter"),
    "prefix": ("prefix", "prefix.*layer.0.attn"),
    "ssf": ("ssf", "ssf.*no form in PEFT"),
    "bitfit": ("bitfit", "layer.0.attn.q/bitfit/bias.*--to transformers"),
    "full": ("full", "backbone/full.*--to transformers"),
    "nothing": ("linear_probe", "linear_probe.*nothing"),
    "both": (
        [{"name": "lora", "sites": "layer.0.attn.k"}, {"name": "dora", "sites": "layer.0.attn.q"}],
        "dora and lora.*one PEFT folder|lora and dora.*one PEFT folder",
    ),
    "twice": ([{"name": "lora", "sites": "layer.0.attn.q"}] * 2, "two modules"),
    "beside": (["lora", "bottleneck"], "bottleneck"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_peft_cannot_say_is_named(tmp_path, name):
    petl, message = REFUSED[name]
    model, _ = pair(tmp_path, "wav2vec2", "base", petl)
    with pytest.raises(SureError, match=message):
        peft_files(model, None)


@pytest.mark.parametrize("place", ["q", "k", "v", "out"])
def test_wavlm_attention_is_refused_because_peft_does_nothing_there(tmp_path, place):
    model, theirs = pair(tmp_path, "wavlm", "base", {"name": "lora", "sites": f"layer.*.attn.{place}"})
    with pytest.raises(SureError, match=rf"layer.0.attn.{place} is .*{place}_proj.*--to transformers"):
        peft_files(model, None)
    # the reason, as it is: should transformers call these maps one day, this fails
    before = encoded(theirs)
    names = {f"{place}_proj": True, "intermediate_dense": False}
    for name, nothing in names.items():
        config = peft.LoraConfig(target_modules=[name], init_lora_weights=False)
        adapted = peft.get_peft_model(theirs, config).eval()
        assert (distance(before, encoded(adapted)) < TOLERANCE) == nothing
        theirs = adapted.unload()
