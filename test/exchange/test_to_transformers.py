"""transformers' own classes load our exports and compute the same: backbone and head."""

import json

import pytest
import torch
import transformers
from pairs import FAMILIES, METHODS, check_equal, distance, encoded, input_of, logits, ours, pair, sound, written
from safetensors.torch import load_file

from sure import registry
from sure.errors import SureError
from sure.exchange.family import family_of
from sure.exchange.to_transformers import tokenizer_files, transformers_files
from sure.frames import Frames
from sure.text.labels import Labels
from sure.text.tokenizer import train_tokenizer

MIXED = ["lora", {"name": "layer_norm", "sites": "layer.0.norm.*"}, {"name": "ssf", "sites": "layer.*.ffn.*"}]
HEADED = [pair for pair in FAMILIES if pair[0] not in ("moonshine", "whisper")]


def load(auto, folder):
    """The model; missing and unexpected weights are an error."""
    model, about = auto.from_pretrained(folder, output_loading_info=True)
    assert not about["unexpected_keys"] and not about["mismatched_keys"]
    assert all(key.startswith("decoder.") for key in about["missing_keys"])
    return model.eval()


def exported(model, folder):
    """The folder of our export, and the notes."""
    files, notes = transformers_files(model)
    return written(folder / "out", files), notes


@pytest.mark.parametrize("family", ["wav2vec2", "moonshine", "whisper"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_exported_right_or_refused(tmp_path, name, family):
    model, _ = pair(tmp_path, family, "base", METHODS[name])
    wanted = ours(model)
    try:
        folder, _ = exported(model, tmp_path)
    except SureError as error:
        assert name in str(error)
    else:
        check_equal(wanted, encoded(transformers.AutoModel.from_pretrained(folder).eval()))


UNMERGED = r"can be exported: .*lora"
REFUSED = [
    ("wav2vec2", ["lora", "bottleneck"], rf"petl \(bottleneck\).*{UNMERGED}"),
    ("wav2vec2", "prefix", rf"petl \(prefix\).*{UNMERGED}"),
    ("moonshine", {"name": "ssf", "sites": "layer.*.attn.q"}, r"does not have 3 tensors.*layers\.0\.attn\.q\.bias"),
]


@pytest.mark.parametrize(("family", "petl", "message"), REFUSED)
def test_methods_that_cannot_be_merged_are_named(tmp_path, family, petl, message):
    model, _ = pair(tmp_path, family, "base", petl)
    with pytest.raises(SureError, match=message):
        transformers_files(model)


@pytest.mark.parametrize(("family", "size"), FAMILIES)
def test_the_backbone_alone(tmp_path, family, size):
    """A weighted sum does not fit under a CTC head, so that no head is written. We and transformers read the folder."""
    model, theirs = pair(tmp_path, family, size, [*MIXED, "weighted_sum"], "asr")
    wanted, readout = ours(model), logits(model)
    folder, notes = exported(model, tmp_path)
    check_equal(wanted, encoded(load(transformers.AutoModel, folder)))
    assert distance(wanted, encoded(theirs)) > 0.01
    assert any("backbone alone" in note and "sure_head.safetensors" in note for note in notes)
    kept = load_file(f"{folder}/sure_head.safetensors")
    assert {"readout/weighted_sum/weights", "head/output.weight", "head/output.bias"} == set(kept)
    check_equal(readout, logits(model))  # merged
    again = registry.find("backbones", family).from_weights(folder)
    assert again.shape == model.backbone.shape
    assert again.normalize_waveform == (size == "large" or family == "data2vec_audio")
    assert all(torch.equal(own, again.get_parameter(name)) for name, own in model.backbone.named_parameters())
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    assert extractor.sampling_rate == 16000
    if family == "whisper":
        features = extractor(sound()[0].numpy(), sampling_rate=16000, return_tensors="pt").input_features
        assert torch.equal(features[0], input_of("WhisperModel")[0])
    else:
        assert extractor.do_normalize == again.normalize_waveform and extractor.return_attention_mask


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm", "data2vec_audio", "moonshine"])
def test_published_shapes_as_settings(family):
    found = registry.find("backbones", family)
    kind = family.replace("_", "-")
    known = transformers.AutoConfig.for_model(kind).to_dict()
    for shape in [found.shapes[name] for name in ("base", "large", "tiny_en", "base_en") if name in found.shapes]:
        config = found.huggingface_config(shape) | {"model_type": kind}
        normalised = getattr(shape, "normalize_waveform", False)
        assert found.huggingface_shape(config, {"do_normalize": normalised}) == shape
        # a setting that transformers does not have would be without effect
        assert family == "moonshine" or set(config) <= set(known)
    if family == "moonshine":
        with pytest.raises(SureError, match="kernels"):
            found.huggingface_config(found.shapes["tiny"])


@pytest.mark.parametrize(("family", "size"), HEADED)
@torch.no_grad()
def test_ctc(tmp_path, family, size):
    """Outputs, loss and tokenizer, with blank and padding as in training."""
    model, _ = pair(tmp_path, family, size, "lora", "asr")
    wanted, frames, own = logits(model), Frames([logits(model).shape[1]] * 2), model.task.tokenizer
    target = torch.tensor(own.encode("ab"))
    loss = model.task.loss(wanted, frames, [target, target]).mean()
    lines = model.task.decode(wanted, frames)
    folder, _ = exported(model, tmp_path)
    loaded = load(transformers.AutoModelForCTC, folder)
    found = loaded(sound()).logits
    check_equal(wanted, found)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert loaded.config.pad_token_id == tokenizer.pad_token_id == own.blank
    assert len(tokenizer) == own.size
    assert [" ".join(line.split()) for line in tokenizer.batch_decode(found.argmax(-1))] == lines
    assert any(lines)
    assert tokenizer("abc cab").input_ids == own.encode("abc cab")
    path = [id for one in own.encode("aab  b") for id in (one, one, 0)]  # blanks between repeated letters
    assert tokenizer.decode(path) == "aab b"
    loaded.config.ctc_loss_reduction = "mean"  # over utterances, each divided by its tokens
    assert abs(loaded(sound(), labels=target.expand(2, -1)).loss - loss) < 1e-4


@pytest.mark.parametrize("petl", ["lora", ["lora", "weighted_sum"]], ids=["last layer", "weighted sum"])
@pytest.mark.parametrize(("family", "size"), HEADED)
@torch.no_grad()
def test_classification(tmp_path, family, size, petl):
    model, _ = pair(tmp_path, family, size, petl)
    wanted = logits(model)
    folder, notes = exported(model, tmp_path)
    if size == "large" and isinstance(petl, list):
        assert "final norm" in notes[1] and load_file(f"{folder}/sure_head.safetensors")
        return
    loaded = load(transformers.AutoModelForAudioClassification, folder)
    found = loaded(sound()).logits
    check_equal(wanted, found)
    assert [loaded.config.id2label[index] for index in found.argmax(1).tolist()] == model.task.decode(wanted, None)
    assert loaded.config.label2id == {name: index for index, name in loaded.config.id2label.items()}


def test_several_output_groups_have_no_head_there(tmp_path):
    model, _ = pair(tmp_path, "wav2vec2", "base", "lora")
    model.task.labels = Labels({"action": ["on"], "object": ["lamp", "radio"]})
    model.task.sizes = [1, 2]
    files, notes = transformers_files(model)
    assert "action, object" in notes[1] and json.loads(files["config.json"])["architectures"] == ["Wav2Vec2Model"]


NOTES = [  # family, task, changed attributes of the backbone, and words of the notes
    ("whisper", "language", {}, ["WhisperForAudioClassification averages over its whole window"]),
    ("whisper", "asr", {"whole": False}, ["transformers has no Whisper with a head of this kind", "30 s"]),
    ("moonshine", "language", {}, ["transformers has no Moonshine with a head of this kind", "padded batches"]),
    ("wav2vec2", "language", {}, ["padded batches"]),
    ("wav2vec2", "language", {"normalize_waveform": True}, ["padded batches", "1e-7"]),
    ("data2vec_audio", "language", {"normalize_waveform": True}, ["1e-7"]),
]


@pytest.mark.parametrize(("family", "task", "changes", "words"), NOTES)
def test_notes(tmp_path, family, task, changes, words):
    """Reasons for a folder without the head, and differences in computation; `as_trained` pads Whisper to 30 s too."""
    model, _ = pair(tmp_path, family, "base", "lora", task)
    vars(model.backbone).update(changes)
    known = {word for *_, row in NOTES for word in row}
    notes = " ".join(transformers_files(model)[1])
    assert {word for word in known if word in notes} == set(words)


def test_tokenizer_files(tmp_path):
    """Texts come back as they were: spaces before punctuation, capitals and accents included."""
    text = "Do n't , señor . '"
    tokenizer = train_tokenizer([text], "character")
    found = transformers.AutoTokenizer.from_pretrained(written(tmp_path / "out", tokenizer_files(tokenizer)[0]))
    assert found(text).input_ids == tokenizer.encode(text)
    assert found.decode(tokenizer.encode(text)) == tokenizer.decode(tokenizer.encode(text)) == text
    pieces, delimiter = train_tokenizer(["abc cab bca"] * 5, "bpe", 8), train_tokenizer(["a b|c"], "character")
    for tokenizer, reason in ((pieces, "bpe"), (delimiter, "'|'")):
        files, note = tokenizer_files(tokenizer)
        assert not files and reason in note


def test_a_backbone_without_a_counterpart_is_named():
    with pytest.raises(SureError, match="no counterpart in transformers"):
        family_of(torch.nn.Identity())
