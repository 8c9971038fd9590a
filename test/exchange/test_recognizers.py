"""Recognisers with their decoders, to and from PEFT, transformers and CTranslate2, with the same logits and texts."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from models import disturb
from originals import enliven, huggingface, saved
from pairs import LENGTHS, check_equal, distance, input_of, load_peft, sound, written
from safetensors.torch import load_file

from sure import registry
from sure.backbones import moonshine_recognizer, whisper_recognizer
from sure.bin import export, import_adapter
from sure.config import make_config, petl_settings
from sure.errors import SureError
from sure.exchange.from_peft import attach_peft
from sure.exchange.recognizer_to_transformers import generation_settings, recognizer_files
from sure.exchange.to_ctranslate2 import ctranslate2_files
from sure.exchange.to_peft import peft_files
from sure.frames import Frames
from sure.models.build import build_model, build_task
from sure.petl.attach import Attachment
from sure.petl.bundle import write_bundle
from sure.text.recognizer_tokens import RecognizerTokens

SPOKEN = RecognizerTokens.bytes(["es", "en"])
TOKENS = torch.tensor([[SPOKEN.start, 7, 3, 250, 9], [SPOKEN.start, 5, 3, 41, 8]])
SIZES = {"vocab_size": SPOKEN.size, "pad_token_id": SPOKEN.end, "bos_token_id": SPOKEN.end, "eos_token_id": SPOKEN.end}
SIZES |= {"decoder_start_token_id": SPOKEN.start}
FAMILIES = {
    "whisper": (whisper_recognizer.Recognizer, {"decoder_layers": 2, "max_target_positions": 30}),
    "moonshine": (moonshine_recognizer.Recognizer, {"decoder_num_hidden_layers": 2}),
}
EVERYWHERE = "layer.*.*"
LORA = {"name": "lora", "sites": "decoder.layer.*.{attn,cross}.[qv] decoder.layer.1.ffn.* encoder.layer.[0-1].attn.k"}


def pair(folder, family, petl):
    """Our adapted recogniser, disturbed as by training, and the plain one of transformers, in folder/family."""
    torch.manual_seed(0)
    recognizer, sizes = FAMILIES[family]
    theirs = huggingface(family, kind="ForConditionalGeneration", **SIZES, **sizes)
    weights = saved(enliven(theirs), folder / family)
    backbone = recognizer.from_weights(weights, "as_trained" if family == "whisper" else "masked")
    methods = [registry.find("petl", item.name)(item) for item in petl_settings(petl)]
    attachment = Attachment(backbone, methods)
    model = SimpleNamespace(backbone=backbone.eval(), attachment=attachment, state=attachment.state)
    model.task = SimpleNamespace(tokens=SPOKEN, language="es-MX", mode="transcribe")
    model.parameter_groups = lambda: {"adapter": attachment.trained_parameters()}
    disturb(model)
    return model, theirs


@torch.no_grad()
def ours(model):
    encoded = model.backbone.encode(sound(), LENGTHS)
    return model.backbone.logits(model.backbone.decode(TOKENS, encoded.last, encoded.frames))


@torch.no_grad()
def logits(theirs, family):
    return theirs(input_of("WhisperModel" if family == "whisper" else ""), decoder_input_ids=TOKENS).logits


@pytest.mark.parametrize("petl", [LORA, {"name": "dora", "sites": "decoder.layer.*.*"}, "ia3"], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_peft_in_both_directions(tmp_path, family, petl):
    model, theirs = pair(tmp_path, family, petl if isinstance(petl, dict) else {"name": petl, "sites": EVERYWHERE})
    wanted = ours(model)
    files, notes = peft_files(model, None)
    assert set(files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert "ForConditionalGeneration" in notes[0]
    folder = written(tmp_path / "peft", files)
    assert distance(wanted, logits(theirs, family)) > 0.01
    check_equal(wanted, logits(load_peft(theirs, folder), family))
    if petl == "ia3":
        return
    padding = "as_trained" if family == "whisper" else "masked"
    again = FAMILIES[family][0].from_weights(str(tmp_path / family), padding)
    attachment = attach_peft(again, tmp_path / "peft")
    check_equal(wanted, ours(SimpleNamespace(backbone=again.eval())))
    if petl is LORA:
        (method,) = attachment.methods
        assert set(method.config.sites.split()) == {
            *(f"decoder.layer.*.{place}.{map}" for place in ("attn", "cross") for map in "qv"),
            *("decoder.layer.1.ffn.in", "decoder.layer.1.ffn.out", "encoder.layer.[0-1].attn.k"),
        }


@pytest.mark.parametrize("petl", [LORA, {"name": "bitfit", "sites": EVERYWHERE}, {"name": "full"}], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_folder_has_the_same_logits(tmp_path, family, petl):
    model, theirs = pair(tmp_path, family, petl)
    wanted = ours(model)
    folder = written(tmp_path / "out", recognizer_files(model, None)[0])
    loaded, about = transformers.AutoModelForSpeechSeq2Seq.from_pretrained(folder, output_loading_info=True)
    assert not about["unexpected_keys"] and not about["mismatched_keys"] and not about["missing_keys"]
    check_equal(wanted, logits(loaded.eval(), family))
    assert distance(wanted, logits(theirs, family)) > 0.01
    again = FAMILIES[family][0].from_weights(folder)
    assert again.shape == model.backbone.shape
    assert all(torch.equal(own, again.get_parameter(name)) for name, own in model.backbone.named_parameters())


@torch.no_grad()
def test_whispers_folder_generates_in_the_language_of_the_task(tmp_path):
    model, _ = pair(tmp_path, "whisper", LORA)
    files, _ = recognizer_files(model, None)
    folder = written(tmp_path / "out", files)
    loaded = transformers.WhisperForConditionalGeneration.from_pretrained(folder).eval()
    processor = transformers.AutoProcessor.from_pretrained(folder)
    tokens = RecognizerTokens.from_weights(folder)
    assert tokens.languages == SPOKEN.languages and tokens.tasks == SPOKEN.tasks
    settings = loaded.generation_config
    assert settings.lang_to_id == {f"<|{name}|>": id for name, id in SPOKEN.languages.items()}
    times = list(range(SPOKEN.timestamps, SPOKEN.size))  # where `generate` would cut the text
    found = loaded.generate(input_of("WhisperModel"), max_new_tokens=8, suppress_tokens=times)
    prompt = SPOKEN.prompt("es")
    text = SPOKEN.encode("sí, 3")
    assert processor.tokenizer.decode(prompt + text, skip_special_tokens=True) == " sí, 3"
    encoded = model.backbone.encode(sound(), LENGTHS)
    for row, texts in enumerate(found.tolist()):
        line = texts if texts[: len(prompt)] == prompt else prompt + texts
        given = torch.tensor([line[:-1]])
        hidden = model.backbone.decode(given, encoded.last[row : row + 1], Frames([encoded.frames.time]))
        best = model.backbone.logits(hidden)[0, len(prompt) - 1 :, : SPOKEN.timestamps].argmax(-1).tolist()
        assert best and best == line[len(prompt) :]


def test_settings_of_the_original_folder_are_kept(tmp_path):
    model, _ = pair(tmp_path, "whisper", LORA)
    base = tmp_path / "whisper"
    (base / "generation_config.json").write_text(
        json.dumps({"max_initial_timestamp_index": 50, "forced_decoder_ids": [[1, 2]], "language": "<|en|>"})
    )
    (base / "tokenizer.json").write_text(json.dumps(SPOKEN.tokenizer_json))
    (base / "normalizer.json").write_text("{}")
    files, _ = recognizer_files(model, base)
    settings = json.loads(files["generation_config.json"])
    assert settings["max_initial_timestamp_index"] == 50 and settings["language"] == "<|es|>"
    assert settings["task"] == "transcribe" and "forced_decoder_ids" not in settings
    assert files["normalizer.json"] == b"{}"
    model.task.language = "all"
    assert (
        "language" not in generation_settings(model, None) and generation_settings(model, None)["task"] == "transcribe"
    )


def test_the_commands_on_a_bundle(tmp_path):
    """To both formats, and from PEFT's to an adapter from which a training starts."""
    tokens = tmp_path / "tokens"
    given = {"task": "transcription", "text": {"language": "es"}, "tokenizer": {"folder": str(tokens)}}
    given["data"] = {"train": str(tmp_path / "train"), "valid": str(tmp_path / "dev")}
    weights = tmp_path / "whisper.safetensors"
    whisper_recognizer.Recognizer.from_weights("random:toy", vocabulary=SPOKEN.size).save(weights, SPOKEN.dumps())
    config = make_config(
        {**given, "backbone": {"name": "whisper", "weights": str(weights)}, "petl": {"name": "lora"}}, "test"
    )
    registry.find("tasks", "transcription").fit([], tokens, tokenizer=config.tokenizer, language="es")
    model = build_model(config, build_task(config))
    disturb(model)
    write_bundle(tmp_path / "bundle", model.bundle(config, tokens))
    for form in ("peft", "transformers"):
        export.main([str(tmp_path / "bundle"), "--to", form, "--out", str(tmp_path / form)])
    again = RecognizerTokens.from_weights(tmp_path / "transformers")
    assert again.prompt("es") == SPOKEN.prompt("es") and again.encode("uno") == SPOKEN.encode("uno")
    out = tmp_path / "adapter"
    arguments = ["--backbone", "whisper", "--head", "decoder", "--weights", str(weights), "--out", str(out)]
    import_adapter.main([str(tmp_path / "peft"), *arguments])
    found, wanted = load_file(out / "adapter.safetensors"), model.state()
    assert found.keys() == wanted.keys() and all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_bias_that_merging_adds_is_refused(tmp_path):
    model, _ = pair(tmp_path, "whisper", {"name": "ssf", "sites": "decoder.layer.*.attn.k"})
    with pytest.raises(SureError, match=r"WhisperForConditionalGeneration does not have 2 tensors.*attn\.k\.bias"):
        recognizer_files(model, None)


def test_ctranslate2_folder_has_the_same_texts(tmp_path):
    """Read by faster-whisper; greedy tokens are those of our logits."""
    faster_whisper = pytest.importorskip("faster_whisper")
    import ctranslate2

    model, _ = pair(tmp_path, "whisper", LORA)
    folder = written(tmp_path / "out", ctranslate2_files(recognizer_files(model, None)[0])[0])
    loaded = faster_whisper.WhisperModel(folder, device="cpu", compute_type="float32")
    features = ctranslate2.StorageView.from_array(np.ascontiguousarray(input_of("WhisperModel").numpy()))
    prompt = SPOKEN.prompt("es")
    found = loaded.model.generate(features, [prompt] * 2, beam_size=1, max_length=12, suppress_tokens=[])
    encoded = model.backbone.encode(sound(), LENGTHS)
    for row, one in enumerate(found):
        given = torch.tensor([[*prompt, *one.sequences_ids[0]]])
        with torch.no_grad():
            hidden = model.backbone.decode(given, encoded.last[row : row + 1], Frames([encoded.frames.time]))
        best = model.backbone.logits(hidden)[0, len(prompt) - 1 :].argmax(-1).tolist()
        assert best[: len(one.sequences_ids[0])] == one.sequences_ids[0]
