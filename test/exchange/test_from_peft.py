"""A LoRA that PEFT wrote computes the same here, or is refused by the name of what we do not have."""

import json
import shutil

import peft
import pytest
import torch
import transformers
from originals import enliven, huggingface, saved
from pairs import AS_THERE, TOLERANCE, distance, encoded, heard, load_peft, pair, sound, with_families, written
from safetensors.torch import load_file, save_file

from sure import registry
from sure.errors import SureError
from sure.exchange.from_peft import attach_peft, patterns
from sure.exchange.to_peft import peft_files
from sure.petl.attach import Attachment
from sure.petl.patterns import match_sites

MAPS = {
    "wavlm": ["intermediate_dense", "output_dense"],
    "whisper": ["q_proj", "encoder.layers.2.self_attn.out_proj", "fc2"],
    "moonshine": ["encoder.layers.0.self_attn.q_proj", "encoder.layers.2.self_attn.o_proj", "fc1"],
}
ATTENTION = ["q_proj", "v_proj", "out_proj", "intermediate_dense"]


def trained(folder, family, size, **settings):
    """A folder that PEFT's own save_pretrained wrote, its model, and the folder of the model below it."""
    theirs = huggingface(family, size)
    below = saved(theirs, folder / family)
    inner = theirs.encoder if hasattr(theirs, "decoder") else theirs
    maps = [name.removeprefix("encoder.") for name in MAPS.get(family, ATTENTION)]
    config = peft.LoraConfig(
        **{"target_modules": maps, "r": 3, "lora_alpha": 3, "init_lora_weights": False, **settings}
    )
    model = peft.get_peft_model(inner, config).eval()
    enliven_adapters(model)
    model.save_pretrained(folder / "peft")
    return folder / "peft", model, below


@torch.no_grad()
def enliven_adapters(model):
    generator = torch.Generator().manual_seed(5)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)


def imported(folder, family, below):
    backbone = registry.find("backbones", family).from_weights(below, AS_THERE.get(family, "masked"))
    backbone.normalize_waveform = False
    return attach_peft(backbone, folder)


@torch.no_grad()
def output(attachment):
    attachment.modules().eval()
    samples = sound().shape[1]
    return attachment.backbone(sound(), torch.tensor([samples, samples])).last


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
@torch.no_grad()
def test_computes_what_peft_computes(tmp_path, family, size, name):
    folder, theirs, below = trained(tmp_path, family, size, **SETTINGS[name])
    input = heard(type(theirs.get_base_model()).__name__)
    wanted = theirs(input).last_hidden_state
    attachment = imported(folder, family, below)
    assert distance(wanted, output(attachment)) < TOLERANCE
    with theirs.disable_adapter():
        assert distance(wanted, theirs(input).last_hidden_state) > 0.01


@pytest.mark.parametrize("head", ["ForCTC", "ForSequenceClassification"])
def test_of_a_model_with_a_head(tmp_path, head):
    """The names then begin with the encoder's place in that model."""
    theirs = enliven(getattr(transformers, f"Wav2Vec2{head}")(huggingface("wav2vec2", "base").config))
    saved(theirs, tmp_path / "below")
    model = peft.get_peft_model(theirs, peft.LoraConfig(target_modules=["k_proj"], init_lora_weights=False)).eval()
    model.save_pretrained(tmp_path / "peft")
    attachment = imported(tmp_path / "peft", "wav2vec2", str(tmp_path / "below"))
    with torch.no_grad():
        wanted = model.get_base_model().wav2vec2(sound()).last_hidden_state
    assert distance(wanted, output(attachment)) < TOLERANCE


@pytest.mark.parametrize("petl", [{"name": "lora", "sites": "layer.{0,2}.ffn.*", "rank": 3}, "dora"])
def test_there_and_back(tmp_path, petl):
    model, _ = pair(tmp_path, "wav2vec2", "base", petl)
    files, _ = peft_files(model, None)
    folder = written(tmp_path / "peft", files)
    attachment = imported(tmp_path / "peft", "wav2vec2", str(tmp_path / "wav2vec2"))
    wanted, found = model.attachment.state(), attachment.state()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    again = load_peft(huggingface("wav2vec2", "base"), folder)
    assert distance(encoded(again), output(attachment)) < TOLERANCE


def test_what_was_imported_loads_into_methods_with_its_settings(tmp_path):
    folder, theirs, below = trained(tmp_path, "wav2vec2", "base", rank_pattern={"q_proj": 5})
    attachment = imported(folder, "wav2vec2", below)
    assert {(m.config.name, m.config.rank) for m in attachment.methods} == {("lora", 3), ("lora", 5)}
    backbone = registry.find("backbones", "wav2vec2").from_weights(below)
    backbone.normalize_waveform = False
    methods = [registry.find("petl", m.config.name)(m.config) for m in attachment.methods]
    other = Attachment(backbone, methods)
    assert distance(output(other), output(attachment)) > 0.01
    other.load(attachment.state(), "imported")
    assert torch.equal(output(other), output(attachment))


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
    "bias": ({"bias": "lora_only"}, "bias='lora_only'"),
    "modules_to_save": ({"modules_to_save": ["layer_norm"]}, "layer_norm.bias is not a tensor of LoRA"),
    "lora_bias": ({"lora_bias": True}, "lora_bias=True"),
    "pissa": ({"init_lora_weights": "pissa"}, "init_lora_weights='pissa'"),
    "convolution": ({"target_modules": ["conv_layers.1.conv"]}, "feature_extractor.conv_layers.1.conv.*q_proj"),
    "projection": ({"target_modules": ["projection"]}, "feature_projection.projection is not a site"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_counterpart_is_named(tmp_path, name):
    settings, message = REFUSED[name]
    folder, _, below = trained(tmp_path, "wav2vec2", "base", **settings)
    with pytest.raises(SureError, match=message):
        imported(folder, "wav2vec2", below)


def test_the_attention_of_wavlm_is_refused(tmp_path):
    folder, _, below = trained(tmp_path, "wavlm", "base", target_modules=["q_proj"])
    with pytest.raises(SureError, match="without calling it"):
        imported(folder, "wavlm", below)


BESIDE = {  # a class, its family, settings, and the note about what is left out
    "lm_head": ("Wav2Vec2ForCTC", "wav2vec2", {"modules_to_save": ["lm_head"]}, "lm_head (2)"),
    "classifier": ("Wav2Vec2ForSequenceClassification", "wav2vec2", {"task_type": "SEQ_CLS"}, "classifier (2)"),
    "projector": (
        *("Wav2Vec2ForSequenceClassification", "wav2vec2", {"modules_to_save": ["projector", "classifier"]}),
        "classifier (2), projector (2)",
    ),
    "decoder": ("WhisperForConditionalGeneration", "whisper", {}, "model.decoder ("),
    "decoder alone": ("MoonshineModel", "moonshine", {}, "encoder: decoder ("),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_beside_the_encoder_is_left_out_and_named(tmp_path, name, capsys):
    kind, family, settings, said = BESIDE[name]
    theirs = enliven(getattr(transformers, kind)(huggingface(family, "base").config))
    below = saved(theirs, tmp_path / "below")
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False, **settings)
    model = peft.get_peft_model(theirs, config).eval()
    enliven_adapters(model)
    model.save_pretrained(tmp_path / "peft")
    attachment = imported(tmp_path / "peft", family, below)
    assert said in capsys.readouterr().out
    inner = model.get_base_model()
    encoder = inner.wav2vec2 if family == "wav2vec2" else getattr(inner, "model", inner).encoder
    with torch.no_grad():
        wanted = encoder(heard(kind)).last_hidden_state
        with model.disable_adapter():
            assert distance(wanted, encoder(heard(kind)).last_hidden_state) > 0.01
    assert distance(wanted, output(attachment)) < TOLERANCE


def test_an_adapter_of_a_decoder_alone_is_refused(tmp_path):
    theirs = huggingface("moonshine", "base")
    below = saved(theirs, tmp_path / "moonshine")
    config = peft.LoraConfig(target_modules=r"decoder\..*q_proj")
    peft.get_peft_model(theirs, config).save_pretrained(tmp_path / "peft")
    with pytest.raises(SureError, match="has no tensor of the encoder"):
        imported(tmp_path / "peft", "moonshine", below)


def edited(folder, **settings):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def test_broken_folders_are_named(tmp_path):
    folder, _, below = trained(tmp_path, "wav2vec2", "base")
    weights = folder / "adapter_model.safetensors"
    tensors = load_file(weights)

    def refused(message):
        with pytest.raises(SureError, match=message):
            imported(folder, "wav2vec2", below)

    edited(folder, layer_replication=[[0, 2]])
    refused("layer_replication")
    edited(folder, layer_replication=None, a_setting_of_tomorrow=3)
    refused("a_setting_of_tomorrow=3")
    for setting in ({"lora_alpha": "much"}, {"alpha_pattern": {"(": 2}}, {"alpha_pattern": ["x"]}, {"lora_dropout": 2}):
        edited(folder, **{"a_setting_of_tomorrow": None, "lora_alpha": 8, "alpha_pattern": {}, **setting})
        refused("adapter_config.json has a setting that PEFT does not write")
    edited(folder, lora_dropout=0.0, peft_type="IA3")
    refused("peft_type is 'IA3'")
    edited(folder, peft_type="LORA", use_dora=True)
    refused("has a, b instead of a, b, magnitude")
    edited(folder, use_dora=False)
    name = next(name for name in tensors if "layers.0" in name and name.endswith("out_proj.lora_A.weight"))
    save_file({**tensors, name: tensors[name][:, :-1].contiguous()}, weights)
    refused("a of layer.0.attn.out has shape .* this backbone needs")
    weights.write_bytes(weights.read_bytes()[:-1])
    refused("damaged")
    weights.rename(folder / "adapter_model.bin")
    refused("adapter_model.bin is a pickle")
    (folder / "adapter_config.json").write_text("[")
    refused("cannot be read")
    shutil.rmtree(folder)
    refused("not a PEFT folder")


def test_an_adapter_of_another_width_is_refused(tmp_path):
    folder, _, _ = trained(tmp_path, "wav2vec2", "base")
    with pytest.raises(SureError, match="give the backbone that it was trained on"):
        imported(folder, "wav2vec2", "random:tiny")
