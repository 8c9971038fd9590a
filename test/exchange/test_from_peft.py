"""A LoRA that PEFT wrote computes the same here, or is refused with the name of the unsupported content."""

import json
import shutil

import peft
import pytest
import torch
from originals import huggingface, saved
from pairs import AS_THERE, LENGTHS, check_equal, distance, input_of, sound, with_families
from safetensors.torch import load_file, save_file

from sure import registry
from sure.errors import SureError
from sure.exchange.from_peft import attach_peft

MAPS = {
    "wavlm": ["intermediate_dense", "output_dense"],
    "whisper": ["q_proj", "layers.2.self_attn.out_proj", "fc2"],
    "moonshine": ["layers.0.self_attn.q_proj", "layers.2.self_attn.o_proj", "fc1"],
}
ATTENTION = ["q_proj", "v_proj", "out_proj", "intermediate_dense"]


def trained(folder, theirs, **settings):
    """An adapter with random weights on a transformers model, which PEFT's own save_pretrained wrote."""
    config = peft.LoraConfig(**{"r": 3, "lora_alpha": 3, "init_lora_weights": False, **settings})
    model = peft.get_peft_model(theirs, config).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    model.save_pretrained(folder / "peft")
    return model


def trained_encoder(folder, family, size="base", **settings):
    """The same on the encoder of a family, and the folder of the model below it."""
    theirs = huggingface(family, size)
    below = saved(theirs, folder / family)
    inner = theirs.encoder if hasattr(theirs, "decoder") else theirs
    return trained(folder, inner, **{"target_modules": MAPS.get(family, ATTENTION), **settings}), below


def imported(folder, family, below):
    backbone = registry.find("backbones", family).from_weights(below, AS_THERE.get(family, "masked"))
    backbone.normalize_waveform = False
    return attach_peft(backbone, folder / "peft")


@torch.no_grad()
def output(attachment):
    attachment.modules().eval()
    return attachment.backbone(sound(), LENGTHS).last


@torch.no_grad()
def check_computes_the_same(model, encoder, attachment):
    """encoder: of the transformers model that PEFT's `model` wraps. Without the adapter it computes something else."""
    input = input_of(type(model.get_base_model()).__name__)
    wanted = encoder(input).last_hidden_state
    check_equal(wanted, output(attachment))
    with model.disable_adapter():
        assert distance(wanted, encoder(input).last_hidden_state) > 0.01


SETTINGS = {
    "plain": {},
    "rank stabilised": {"use_rslora": True, "lora_alpha": 2},
    "dora": {"use_dora": True, "lora_dropout": 0.2},
    "patterns": {"rank_pattern": {"layers.1.*": 4}, "alpha_pattern": {"layers.0.*": 4, r".*layers\.[1-2]\..*": 2}},
    "more ranks than channels": {"r": 64},
    "some layers": {"layers_to_transform": [0, 2], "layers_pattern": "layers"},
}


@pytest.mark.parametrize(("family", "size", "name"), with_families(SETTINGS))
def test_computes_what_peft_computes(tmp_path, family, size, name):
    model, below = trained_encoder(tmp_path, family, size, **SETTINGS[name])
    check_computes_the_same(model, model, imported(tmp_path, family, below))


PROJECTOR = {"modules_to_save": ["projector", "classifier"]}
WHOLE = [  # family, end of the class's name, settings, and the note about tensors outside the encoder
    ("wav2vec2", "ForCTC", {"modules_to_save": ["lm_head"]}, "lm_head (2)"),
    ("wav2vec2", "ForSequenceClassification", {"task_type": "SEQ_CLS"}, "classifier (2)"),
    ("wav2vec2", "ForSequenceClassification", PROJECTOR, "classifier (2), projector (2)"),
    ("whisper", "ForConditionalGeneration", {}, "model.decoder ("),
    ("moonshine", "Model", {}, "encoder: decoder ("),
]


@pytest.mark.parametrize(("family", "kind", "settings", "note"), WHOLE)
def test_an_adapter_of_a_whole_model(tmp_path, family, kind, settings, note, capsys):
    """The names begin with the encoder's place in that model; tensors outside the encoder are left out and named."""
    theirs = huggingface(family, kind=kind)
    below = saved(theirs, tmp_path / "below")
    model = trained(tmp_path, theirs, **{"target_modules": ["q_proj", "v_proj"], **settings})
    attachment = imported(tmp_path, family, below)
    assert note in capsys.readouterr().out
    inner = model.get_base_model()
    encoder = inner.wav2vec2 if family == "wav2vec2" else getattr(inner, "model", inner).encoder
    check_computes_the_same(model, encoder, attachment)


@pytest.mark.parametrize(
    ("maps", "sites"),
    [
        (["q_proj"], "layer.*.attn.q"),
        (["layers.[12].attention.k_proj", "layers.2.attention.v_proj"], "layer.[1-2].attn.k layer.2.attn.v"),
        (["layers.[02].feed_forward.output_dense"], "layer.{0,2}.ffn.out"),
    ],
)
def test_sites_are_short_patterns(tmp_path, maps, sites):
    _, below = trained_encoder(tmp_path, "wav2vec2", target_modules=".*(" + "|".join(maps) + ")")
    (method,) = imported(tmp_path, "wav2vec2", below).methods
    assert method.config.sites == sites


REFUSED = [
    ("wav2vec2", {"bias": "lora_only"}, "bias='lora_only'"),
    ("wav2vec2", {"modules_to_save": ["layer_norm"]}, "layer_norm.bias is not a tensor of LoRA"),
    ("wav2vec2", {"lora_bias": True}, "lora_bias=True"),
    ("wav2vec2", {"init_lora_weights": "pissa"}, "init_lora_weights='pissa'"),
    ("wav2vec2", {"target_modules": ["conv_layers.1.conv"]}, "conv_layers.1.conv is not a site.*q_proj"),
    ("wav2vec2", {"target_modules": ["projection"]}, "feature_projection.projection is not a site"),
    ("wavlm", {"target_modules": ["q_proj"]}, "without calling it"),
]


@pytest.mark.parametrize(("family", "settings", "message"), REFUSED)
def test_unsupported_settings_are_named(tmp_path, family, settings, message):
    _, below = trained_encoder(tmp_path, family, **settings)
    with pytest.raises(SureError, match=message):
        imported(tmp_path, family, below)


WRITTEN = "adapter_config.json has a setting that PEFT does not write"
EDITS = [  # of adapter_config.json, and the message
    ({"layer_replication": [[0, 2]]}, "layer_replication"),
    ({"a_setting_of_tomorrow": 3}, "a_setting_of_tomorrow=3"),
    ({"lora_alpha": "much"}, WRITTEN),
    ({"alpha_pattern": {"(": 2}}, WRITTEN),
    ({"alpha_pattern": ["x"]}, WRITTEN),
    ({"lora_dropout": 2}, WRITTEN),
    ({"peft_type": "IA3"}, "peft_type is 'IA3'"),
    ({"use_dora": True}, "has a, b instead of a, b, magnitude"),
]


def test_broken_folders_are_named(tmp_path):
    _, below = trained_encoder(tmp_path, "wav2vec2")
    config, weights = tmp_path / "peft" / "adapter_config.json", tmp_path / "peft" / "adapter_model.safetensors"
    settings, tensors = json.loads(config.read_text()), load_file(weights)

    def refused(message, below=below):
        with pytest.raises(SureError, match=message):
            imported(tmp_path, "wav2vec2", below)

    refused("give the backbone that it was trained on", "random:tiny")
    for edit, message in EDITS:
        config.write_text(json.dumps(settings | edit))
        refused(message)
    config.write_text(json.dumps(settings))
    save_file({name.replace("encoder", "decoder"): tensors[name] for name in tensors}, weights)
    refused("has no tensor of the encoder")
    name = next(name for name in tensors if "layers.0" in name and name.endswith("out_proj.lora_A.weight"))
    save_file({**tensors, name: tensors[name][:, :-1].contiguous()}, weights)
    refused("a of layer.0.attn.out has shape .* this backbone needs")
    weights.write_bytes(weights.read_bytes()[:-1])
    refused("damaged")
    weights.rename(weights.with_suffix(".bin"))
    refused("adapter_model.bin is a pickle")
    config.write_text("[")
    refused("not valid JSON.*pass a PEFT folder")
    shutil.rmtree(tmp_path / "peft")
    refused("does not exist; pass a PEFT folder")
