"""What we export for transformers is what transformers computes: backbone and head, loaded by its own classes."""

import json

import pytest
import torch
import transformers
from models import disturb
from pairs import (
    FAMILIES,
    SMALL,
    TOLERANCE,
    config_of,
    distance,
    encoded,
    heard,
    logits,
    ours,
    pair,
    sound,
    with_families,
    written,
)
from safetensors.torch import load_file

from sure import registry
from sure.errors import SureError
from sure.exchange.ctc_tokenizer import tokenizer_files
from sure.exchange.family import family_of
from sure.exchange.to_transformers import transformers_files
from sure.frames import Frames
from sure.models.build import build_model, build_task
from sure.text.tokenizer import train_tokenizer

PETL = {
    "lora": ["lora", "weighted_sum"],
    "dora": ["dora", "weighted_sum"],
    "norms": ["layer_norm", "weighted_sum"],
    "bitfit": [{"name": "bitfit", "sites": "layer.*.ffn.*"}, "weighted_sum"],
    "ssf": [{"name": "ssf", "sites": "layer.*.ffn.*"}, "weighted_sum"],
    "full": ["full", "weighted_sum"],
    "nothing": ["weighted_sum"],
    "several": ["lora", {"name": "layer_norm", "sites": "layer.0.norm.*"}, "weighted_sum"],
}
HEADED = [pair for pair in FAMILIES if pair[0] not in ("moonshine", "whisper")]


def load(auto, folder):
    """The model; weights that the files lack or have too many are an error."""
    model, about = auto.from_pretrained(folder, output_loading_info=True)
    assert not about["unexpected_keys"] and not about["mismatched_keys"]
    assert all(key.startswith("decoder.") for key in about["missing_keys"])
    return model.eval()


@pytest.mark.parametrize(("family", "size", "name"), with_families(PETL))
def test_the_backbone_alone(tmp_path, family, size, name):
    """A weighted sum does not fit under a CTC head, so that no head is written."""
    model, theirs = pair(tmp_path, family, size, PETL[name], "asr")
    wanted, readout = ours(model), logits(model)
    files, notes = transformers_files(model)
    folder = written(tmp_path / "out", files)
    assert distance(wanted, encoded(load(transformers.AutoModel, folder))) < TOLERANCE
    assert name == "nothing" or distance(wanted, encoded(theirs)) > 0.01
    assert any("backbone alone" in note and "sure_head.safetensors" in note for note in notes)
    kept = load_file(f"{folder}/sure_head.safetensors")
    assert {"readout/weighted_sum/weights", "head/output.weight", "head/output.bias"} == set(kept)
    assert distance(readout, logits(model)) < TOLERANCE  # merged, the model says what it said


@pytest.mark.parametrize(("family", "size"), FAMILIES)
def test_we_read_what_we_write(tmp_path, family, size):
    model, _ = pair(tmp_path, family, size, ["lora", "weighted_sum"])
    folder = written(tmp_path / "out", transformers_files(model)[0])
    again = registry.find("backbones", family).from_weights(folder)
    assert again.shape == model.backbone.shape
    assert again.normalize_waveform == (size == "large" or family == "data2vec_audio")
    for name, tensor in model.backbone.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name])


@pytest.mark.parametrize("weights", ["random:base", "random:large"])
@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm", "data2vec_audio"])
def test_published_shapes_as_settings(family, weights):
    found = registry.find("backbones", family)
    shape = found.shapes[weights.partition(":")[2]]
    kind = family.replace("_", "-")
    config = found.huggingface_config(shape) | {"model_type": kind}
    assert found.huggingface_shape(config, {"do_normalize": shape.normalize_waveform}) == shape
    known = transformers.AutoConfig.for_model(kind).to_dict()
    assert set(config) <= set(known)  # a setting that transformers does not have would be without effect


def test_every_published_moonshine_as_settings():
    family = registry.find("backbones", "moonshine")
    for name in ("tiny_en", "base_en"):
        assert family.huggingface_shape(family.huggingface_config(family.shapes[name]), {}) == family.shapes[name]
    with pytest.raises(SureError, match="kernels"):
        family.huggingface_config(family.shapes["tiny"])


@pytest.mark.parametrize(("family", "size"), HEADED)
def test_ctc(tmp_path, family, size):
    model, _ = pair(tmp_path, family, size, "lora", "asr")
    wanted = logits(model)
    lines = model.task.decode(wanted, Frames([wanted.shape[1]] * 2))
    folder = written(tmp_path / "out", transformers_files(model)[0])
    loaded = load(transformers.AutoModelForCTC, folder)
    with torch.no_grad():
        found = loaded(sound()).logits
    assert distance(wanted, found) < TOLERANCE
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert loaded.config.pad_token_id == tokenizer.pad_token_id == model.task.tokenizer.blank
    assert len(tokenizer) == model.task.tokenizer.size
    assert [" ".join(line.split()) for line in tokenizer.batch_decode(found.argmax(-1))] == lines
    assert any(lines)
    text = "abc cab"
    assert tokenizer(text).input_ids == model.task.tokenizer.encode(text)
    ids = model.task.tokenizer.encode("aab  b")  # repeats stay apart by a blank
    path = [id for one in ids for id in (one, one, 0)]
    assert tokenizer.decode(path) == "aab b"


@pytest.mark.parametrize(("family", "size"), HEADED)
def test_the_ctc_loss_there_is_ours(tmp_path, family, size):
    """Blank and padding are what they should be, in training too."""
    model, _ = pair(tmp_path, family, size, "lora", "asr")
    target = torch.tensor(model.task.tokenizer.encode("ab"))
    with torch.no_grad():
        wanted = model.task.loss(logits(model), Frames([logits(model).shape[1]] * 2), [target, target])
    folder = written(tmp_path / "out", transformers_files(model)[0])
    loaded = load(transformers.AutoModelForCTC, folder)
    loaded.config.ctc_loss_reduction = "mean"  # over utterances, each divided by its tokens
    with torch.no_grad():
        assert abs(loaded(sound(), labels=target.expand(2, -1)).loss - wanted.mean()) < 1e-4


@pytest.mark.parametrize("petl", ["lora", ["lora", "weighted_sum"]], ids=["last layer", "weighted sum"])
@pytest.mark.parametrize(("family", "size"), HEADED)
def test_classification(tmp_path, family, size, petl):
    model, _ = pair(tmp_path, family, size, petl)
    wanted = logits(model)
    files, notes = transformers_files(model)
    if size == "large" and isinstance(petl, list):
        assert "final norm" in notes[1] and "sure_head.safetensors" in files
        return
    loaded = load(transformers.AutoModelForAudioClassification, written(tmp_path / "out", files))
    with torch.no_grad():
        found = loaded(sound()).logits
    assert distance(wanted, found) < TOLERANCE
    lines = model.task.decode(wanted, None)
    assert [loaded.config.id2label[index] for index in found.argmax(1).tolist()] == lines
    assert loaded.config.label2id == {name: index for index, name in loaded.config.id2label.items()}


def test_the_weighted_sum_there_lacks_the_final_norm(tmp_path):
    """Why large models with a weighted sum have no head there; should transformers change, this fails."""
    _, theirs = pair(tmp_path, "wav2vec2", "large", "lora")
    with torch.no_grad():
        output = theirs(sound(), output_hidden_states=True)
    assert distance(output.hidden_states[-1], output.last_hidden_state) > 0.01


@pytest.mark.parametrize(("family", "size"), FAMILIES)
def test_the_preprocessor_is_read_by_transformers(tmp_path, family, size):
    model, _ = pair(tmp_path, family, size, "lora")
    found = transformers.AutoFeatureExtractor.from_pretrained(written(tmp_path / "out", transformers_files(model)[0]))
    assert found.sampling_rate == 16000
    if family == "whisper":
        wave = sound()[0]
        features = found(wave.numpy(), sampling_rate=16000, return_tensors="pt").input_features
        assert torch.equal(features[0], heard("WhisperModel")[0])
    else:
        assert found.do_normalize == model.backbone.shape.__dict__.get("normalize_waveform", False)
        assert found.return_attention_mask


@pytest.mark.parametrize(
    ("family", "task", "reason"),
    [
        ("whisper", "language", "WhisperForAudioClassification averages over its whole window"),
        ("whisper", "asr", "transformers has no Whisper with a head of this kind"),
        ("moonshine", "language", "transformers has no Moonshine with a head of this kind"),
    ],
)
def test_why_there_is_no_head_there(tmp_path, family, task, reason):
    model, _ = pair(tmp_path, family, "base", "lora", task)
    assert any(reason in note for note in transformers_files(model)[1])
    kind = f"{type(model.backbone).huggingface_class}ForAudioClassification"
    assert hasattr(transformers, kind) == (family == "whisper")


def test_what_differs_there_is_said(tmp_path):
    said = {"whisper": "30 s", "wav2vec2": "padded batches"}
    for family, words in said.items():
        model, _ = pair(tmp_path / family, family, "base", "lora")
        notes = transformers_files(model)[1]
        assert any(words in note for note in notes) == (family != "whisper")  # as_trained, it has the silence
        model.backbone.whole = False
        assert any(words in note for note in model.backbone.huggingface_differences())
    large, _ = pair(tmp_path / "large", "wav2vec2", "large", "lora")
    large.backbone.normalize_waveform = True
    assert large.backbone.huggingface_differences() == [large.backbone.huggingface_differences()[-1]]
    assert "1e-7" in large.backbone.huggingface_differences()[0]


def test_texts_come_back_as_they_were(tmp_path):
    """Spaces before punctuation, capitals and accents included."""
    text = "Do n't , señor . '"
    tokenizer = train_tokenizer([text], "character")
    found = transformers.AutoTokenizer.from_pretrained(written(tmp_path / "out", tokenizer_files(tokenizer)[0]))
    assert found(text).input_ids == tokenizer.encode(text)
    assert found.decode(tokenizer.encode(text)) == tokenizer.decode(tokenizer.encode(text)) == text


def test_pieces_and_the_delimiter_have_no_tokenizer_there():
    files, note = tokenizer_files(train_tokenizer(["abc cab bca"] * 5, "bpe", 8))
    assert not files and "bpe" in note
    files, note = tokenizer_files(train_tokenizer(["a b|c"], "character"))
    assert not files and "'|'" in note


def test_several_output_groups_have_no_head_there(tmp_path):
    model, _ = pair(tmp_path, "wav2vec2", "base", "lora")
    model.task.labels._names = {"action": ("on",), "object": ("lamp", "radio")}
    model.task.sizes = [1, 2]
    files, notes = transformers_files(model)
    assert "action, object" in notes[1] and json.loads(files["config.json"])["architectures"] == ["Wav2Vec2Model"]


@pytest.mark.parametrize("family", ["wav2vec2", "moonshine", "whisper"])
@pytest.mark.parametrize("name", [n for n in registry.names("petl") if registry.find("petl", n).encoders])
def test_every_method_is_exported_right_or_refused(tmp_path, name, family):
    model, _ = pair(tmp_path, family, "base", SMALL.get(name, name))
    wanted = ours(model)
    try:
        files, _ = transformers_files(model)
    except SureError as error:
        assert name in str(error)
    else:
        theirs = transformers.AutoModel.from_pretrained(written(tmp_path / "out", files)).eval()
        assert distance(wanted, encoded(theirs)) < TOLERANCE


@pytest.mark.parametrize("petl", ["bottleneck", "prefix", "conv_adapter", ["lora", "bottleneck"]])
def test_methods_that_do_not_merge_are_named(tmp_path, petl):
    model, _ = pair(tmp_path, "wav2vec2", "base", petl)
    name = petl if isinstance(petl, str) else petl[-1]
    with pytest.raises(SureError, match=rf"petl \({name}\).*can be exported: .*lora"):
        transformers_files(model)


def test_biases_that_have_no_place_there_are_named(tmp_path):
    model, _ = pair(tmp_path, "moonshine", "base", {"name": "ssf", "sites": "layer.*.attn.q"})
    with pytest.raises(SureError, match=r"does not have 3 tensors.*layers\.0\.attn\.q\.bias"):
        transformers_files(model)


def test_a_backbone_without_a_counterpart_is_named():
    with pytest.raises(SureError, match="no counterpart in transformers"):
        family_of(torch.nn.Identity())


def test_a_model_that_began_with_random_weights(tmp_path):
    """There is no folder to take settings from."""
    config = config_of(tmp_path, "hubert", "lora", backbone={"name": "hubert", "weights": "random:tiny"})
    model = build_model(config, build_task(config)).eval()
    disturb(model)
    wanted, answers = ours(model), logits(model)
    folder = written(tmp_path / "out", transformers_files(model)[0])
    assert distance(wanted, encoded(transformers.AutoModel.from_pretrained(folder).eval())) < TOLERANCE
    with torch.no_grad():
        found = load(transformers.AutoModelForAudioClassification, folder)(sound()).logits
    assert distance(answers, found) < TOLERANCE
