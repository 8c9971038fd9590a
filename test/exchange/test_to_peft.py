"""PEFT loads our exports onto the original model and computes the same; other methods are refused by their name."""

import pytest
from pairs import METHODS, check_equal, distance, encoded, exported, ours, pair, with_families

from sure.errors import SureError
from sure.exchange.to_peft import peft_files

FFN = "layer.*.ffn.*"  # maps that transformers calls in every family; in WavLM's attention it reads the weights alone
RANGES = [
    {"name": "lora", "sites": "layer.[0-1].ffn.*", "rank": 2, "alpha": 3},
    {"name": "lora", "sites": "layer.2.ffn.in", "rank": 5, "alpha": 4, "dropout": 0.2},
]
PETL = {
    "ranges": RANGES,
    "norms": [{"name": "layer_norm", "sites": "layer.[1-2].norm.ffn"}],
    "lora": [{"name": "lora", "sites": FFN}, {"name": "layer_norm", "sites": "layer.1.norm.*"}, "weighted_sum"],
    "dora": [{"name": "dora", "sites": FFN, "rank": 2, "alpha": 5}, "layer_norm"],
    "ia3": [{"name": "ia3", "sites": "layer.*.ffn.in layer.0.ffn.out layer.1.after_activation"}, "layer_norm"],
}


@pytest.mark.parametrize(("family", "size", "name"), with_families(PETL))
def test_peft_computes_the_same(tmp_path, family, size, name):
    model, theirs = pair(tmp_path, family, size, PETL[name])
    plain = encoded(theirs)
    _, adapted = exported(model, theirs, tmp_path)
    check_equal(ours(model), encoded(adapted))
    assert distance(plain, encoded(adapted)) > 0.01


@pytest.mark.parametrize("family", ["wav2vec2", "wavlm", "moonshine"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_exported_right_or_refused(tmp_path, name, family):
    model, theirs = pair(tmp_path, family, "base", METHODS[name])
    try:
        _, found = exported(model, theirs, tmp_path)
    except SureError as error:
        assert name in str(error)
    else:
        check_equal(ours(model), encoded(found))


def stabilised(*given):
    """LoRAs with the given ranks, and with `rslora` or not."""
    places = ("layer.0.*.out", "layer.[1-2].ffn.in")
    return [
        {"name": "lora", "sites": sites, "rank": rank, "alpha": 6, "rslora": rslora}
        for sites, (rank, rslora) in zip(places, given, strict=True)
    ]


LAST = "encoder.layers.2.feed_forward.intermediate_dense"
FROZEN_NORMS = [{"name": "layer_norm", "sites": "layer.*.norm.ffn"}, "lora"]
NORMS = [f"encoder.layers.{layer}.final_layer_norm" for layer in range(3)]
# Methods, and settings of PEFT. `use_rslora` is one setting for a whole folder; otherwise alpha makes up for it.
SETTINGS = {
    "ranges": (RANGES, {"r": 2, "lora_alpha": 3, "rank_pattern": {LAST: 5}, "alpha_pattern": {LAST: 4}}),
    "stabilised": (stabilised((4, True), (2, True)), {"use_rslora": True, "alpha_pattern": {}}),
    "partly stabilised": (stabilised((4, True), (2, False)), {"use_rslora": False}),
    "principal directions": ({"name": "lora", "rank": 3, "init": "pissa", "rslora": True}, {"r": 6}),
    "dropout": ({"name": "lora", "dropout": 0.1}, {"lora_dropout": 0.1}),
    "frozen norms": (FROZEN_NORMS, {"modules_to_save": NORMS}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(tmp_path, name):
    petl, settings = SETTINGS[name]
    model, theirs = pair(tmp_path, "wav2vec2", "base", petl)
    if name == "frozen norms":
        model.attachment.methods[0].config.trains = False
        model.backbone.requires_grad_(False)
    config, adapted = exported(model, theirs, tmp_path)
    assert {key: config[key] for key in settings} == settings
    check_equal(ours(model), encoded(adapted))


LORA, DORA = {"name": "lora", "sites": "layer.0.attn.q"}, {"name": "dora", "sites": "layer.0.attn.k"}
REFUSED = [
    ("wav2vec2", "bottleneck", r"bottleneck.*layer.0.after_ffn.*lora, dora or ia3"),
    ("wav2vec2", "prefix", "prefix.*layer.0.attn"),
    ("wav2vec2", "ssf", "ssf.*no form in PEFT"),
    ("wav2vec2", "bitfit", "layer.0.attn.q/bitfit/bias.*--to transformers"),
    ("wav2vec2", "full", "backbone/full.*--to transformers"),
    ("wav2vec2", "linear_probe", "linear_probe.*nothing"),
    ("wav2vec2", [LORA, DORA], "(dora and lora|lora and dora).*one PEFT folder"),
    ("wav2vec2", [LORA] * 2, "two modules"),
    *(
        ("wavlm", {"name": "lora", "sites": f"layer.*.attn.{place}"}, f"attn.{place} is .*{place}_proj.*--to transf")
        for place in ("q", "k", "v", "out")
    ),
]


@pytest.mark.parametrize(("family", "petl", "message"), REFUSED)
def test_methods_without_a_counterpart_are_named(tmp_path, family, petl, message):
    model, _ = pair(tmp_path, family, "base", petl)
    with pytest.raises(SureError, match=message):
        peft_files(model, None)
