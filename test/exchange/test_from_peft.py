"""A LoRA that PEFT wrote computes the same here, or is refused with the name of the unsupported content."""

import json
import shutil

import peft
import pytest
import torch
from originals import huggingface, saved
from pairs import AS_THERE, check_equal, distance, encoded, exported, input_of, pair, sound, with_families
from safetensors.torch import load_file, save_file

from sure import registry
from sure.errors import SureError
from sure.exchange.from_peft import attach_peft, patterns
from sure.petl.patterns import match_sites

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
    samples = sound().shape[1]
    return attachment.backbone(sound(), torch.tensor([samples, samples])).last


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
    "patterns": {
        "rank_pattern": {"layers.1.*": 4},
        "alpha_pattern": {"layers.0.*": 4, r".*layers\.[1-2]\..*": 2},
    },
    "more ranks than channels": {"r": 64},
    "some layers": {"layers_to_transform": [0, 2], "layers_pattern": "layers"},
}


@pytest.mark.parametrize(("family", "size", "name"), with_families(SETTINGS))
def test_computes_what_peft_computes(tmp_path, family, size, name):
    model, below = trained_encoder(tmp_path, family, size, **SETTINGS[name])
    check_computes_the_same(model, model, imported(tmp_path, family, below))


WHOLE = {  # family, end of the class's name, settings, and the note about tensors outside the encoder
    "lm_head": ("wav2vec2", "ForCTC", {"modules_to_save": ["lm_head"]}, "lm_head (2)"),
    "classifier": ("wav2vec2", "ForSequenceClassification", {"task_type": "SEQ_CLS"}, "classifier (2)"),
    "projector": (
        *("wav2vec2", "ForSequenceClassification", {"modules_to_save": ["projector", "classifier"]}),
        "classifier (2), projector (2)",
    ),
    "decoder": ("whisper", "ForConditionalGeneration", {}, "model.decoder ("),
    "decoder alone": ("moonshine", "Model", {}, "encoder: decoder ("),
}


@pytest.mark.parametrize("name", WHOLE)
def test_an_adapter_of_a_whole_model(tmp_path, name, capsys):
    """The names begin with the encoder's place in that model; tensors outside the encoder are left out and named."""
    family, kind, settings, note = WHOLE[name]
    theirs = huggingface(family, kind=kind)
    below = saved(theirs, tmp_path / "below")
    model = trained(tmp_path, theirs, **{"target_modules": ["q_proj", "v_proj"], **settings})
    attachment = imported(tmp_path, family, below)
    assert note in capsys.readouterr().out
    inner = model.get_base_model()
    encoder = inner.wav2vec2 if family == "wav2vec2" else getattr(inner, "model", inner).encoder
    check_computes_the_same(model, encoder, attachment)


@pytest.mark.parametrize("petl", [{"name": "lora", "sites": "layer.{0,2}.ffn.*", "rank": 3}, "dora"])
def test_there_and_back(tmp_path, petl):
    model, theirs = pair(tmp_path, "wav2vec2", "base", petl)
    _, adapted = exported(model, theirs, tmp_path)
    attachment = imported(tmp_path, "wav2vec2", str(tmp_path / "wav2vec2"))
    wanted, found = model.attachment.state(), attachment.state()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    check_equal(encoded(adapted), output(attachment))


def test_patterns_are_short_and_mean_the_same():
    sites = registry.find("backbones", "wav2vec2").from_weights("random:tiny", layers=5).sites()
    linear = {site.name: site for site in sites if site.kind == "linear"}
    wanted = {
        "layer.*.attn.q": [0, 1, 2, 3, 4],
        "layer.[1-3].attn.k": [1, 2, 3],
        "layer.{0,4}.ffn.in": [0, 4],
        "layer.2.ffn.out": [2],
    }
    chosen = [linear[f"layer.{n}.{text.split('.', 2)[2]}"] for text, numbers in wanted.items() for n in numbers]
    found = patterns(chosen, 5)
    assert found.split() == list(wanted)
    matched = match_sites(found, sites, ("linear",), "lora")
    assert {site.name for group in matched.values() for site in group} == {site.name for site in chosen}


REFUSED = {
    "bias": ("wav2vec2", {"bias": "lora_only"}, "bias='lora_only'"),
    "modules_to_save": ("wav2vec2", {"modules_to_save": ["layer_norm"]}, "layer_norm.bias is not a tensor of LoRA"),
    "lora_bias": ("wav2vec2", {"lora_bias": True}, "lora_bias=True"),
    "pissa": ("wav2vec2", {"init_lora_weights": "pissa"}, "init_lora_weights='pissa'"),
    "convolution": ("wav2vec2", {"target_modules": ["conv_layers.1.conv"]}, "conv_layers.1.conv is not a site.*q_proj"),
    "projection": ("wav2vec2", {"target_modules": ["projection"]}, "feature_projection.projection is not a site"),
    "attention of wavlm": ("wavlm", {"target_modules": ["q_proj"]}, "without calling it"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unsupported_settings_are_named(tmp_path, name):
    family, settings, message = REFUSED[name]
    _, below = trained_encoder(tmp_path, family, **settings)
    with pytest.raises(SureError, match=message):
        imported(tmp_path, family, below)


def test_an_adapter_of_a_decoder_alone_is_refused(tmp_path):
    theirs = huggingface("moonshine")
    below = saved(theirs, tmp_path / "moonshine")
    trained(tmp_path, theirs, target_modules=r"decoder\..*q_proj")
    with pytest.raises(SureError, match="has no tensor of the encoder"):
        imported(tmp_path, "moonshine", below)


EDITS = [  # of adapter_config.json, and the message
    ({"layer_replication": [[0, 2]]}, "layer_replication"),
    ({"a_setting_of_tomorrow": 3}, "a_setting_of_tomorrow=3"),
    ({"lora_alpha": "much"}, "adapter_config.json has a setting that PEFT does not write"),
    ({"alpha_pattern": {"(": 2}}, "adapter_config.json has a setting that PEFT does not write"),
    ({"alpha_pattern": ["x"]}, "adapter_config.json has a setting that PEFT does not write"),
    ({"lora_dropout": 2}, "adapter_config.json has a setting that PEFT does not write"),
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
