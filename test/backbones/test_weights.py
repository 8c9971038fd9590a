"""Sources of weights: tensors are read as written, and errors name weights that do not fit."""

import hashlib
import json
import re
import struct

import pytest
import torch
import torchaudio
import transformers
from originals import huggingface, saved, waves
from safetensors.torch import load_file, save_file
from torch import nn

from sure import registry
from sure.backbones.base import normalize_waves
from sure.backbones.ctranslate2 import read_ctranslate2
from sure.backbones.tiny import MODELS, Family
from sure.errors import SureError
from sure.frames import Frames


def family(name):
    return registry.find("backbones", name)


def same(one, other):
    state = other.state_dict()
    return all(torch.equal(tensor, state[name]) for name, tensor in one.state_dict().items())


@torch.no_grad()
def output(backbone):
    return backbone(waves([2000, 1300]), torch.tensor([2000, 1300])).last


@pytest.mark.parametrize("model", MODELS)
def test_saved_and_read_again(tmp_path, model):
    backbone = Family.from_weights(f"random:{model}", seed=5)
    backbone.sites()[0].slot.attached["module"] = nn.Linear(2, 2)  # attached modules are not the backbone's own
    path = tmp_path / "model.safetensors"
    backbone.save(path)
    again = type(backbone).from_weights(str(path))
    backbone.sites()[0].slot.attached.clear()
    assert same(backbone, again) and again.shape == backbone.shape
    assert again.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(tmp_path.iterdir()) == [path]
    assert torch.equal(output(again), output(backbone))


def test_random_weights_follow_the_seed_and_touch_no_global_state():
    before = torch.get_rng_state()
    one, again, other = (Family.from_weights("random:wavlm", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert same(one, again) and not same(one, other)
    assert not any(tensor.any() for name, tensor in one.state_dict().items() if name.endswith("bias"))
    assert (one.sha256, other.sha256) == ("random:wavlm_tiny:1", "random:wavlm_tiny:2")
    wider = Family.from_weights("random:wavlm", dim=48)
    assert wider.dim == 48 and wider.sha256 == "random:wavlm_tiny,dim=48:0"


def test_folders_of_older_versions(tmp_path):
    """They have pickles, and other names for weight norm."""
    ours = family("wav2vec2").from_weights(saved(huggingface("wav2vec2"), tmp_path))
    new = ("parametrizations.weight.original0", "parametrizations.weight.original1")
    state = load_file(tmp_path / "model.safetensors")
    state = {name.replace(new[0], "weight_g").replace(new[1], "weight_v"): state[name] for name in state}
    (tmp_path / "model.safetensors").unlink()
    torch.save(state, tmp_path / "pytorch_model.bin")
    assert same(family("wav2vec2").from_weights(str(tmp_path)), ours)


@pytest.mark.parametrize(
    ("file", "size", "wanted"),
    [("preprocessor", "base", True), ("preprocessor", "large", False), ("processor", "base", True),
     ("processor", "large", False), ("without the key", "base", True), ("none", "large", True)],
)  # fmt: skip
def test_waveforms_are_normalised_as_the_preprocessor_requires(tmp_path, file, size, wanted, caplog):
    theirs = huggingface("wav2vec2", size)
    folder = saved(theirs, tmp_path)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=wanted)
    if file != "none":
        extractor.save_pretrained(folder)
    if file == "processor":  # as Wav2Vec2Processor.save_pretrained of transformers 5 writes it
        (tmp_path / "vocab.json").write_text('{"<pad>": 0, "<unk>": 1, "|": 2, "a": 3}')
        tokenizer = transformers.Wav2Vec2CTCTokenizer(tmp_path / "vocab.json")
        transformers.Wav2Vec2Processor(extractor, tokenizer).save_pretrained(folder)
        (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": not wanted}))
    elif file == "without the key":
        (tmp_path / "preprocessor_config.json").write_text('{"feature_size": 1}')
    ours = family("wav2vec2").from_weights(folder)
    assert ours.normalize_waveform is wanted and ("no file gives do_normalize" in caplog.text) == (file == "none")
    lengths = [2000, 1300]
    batch = 3 * waves(lengths) + 0.1 * (waves(lengths) != 0)
    assert not normalize_waves(batch, Frames(lengths, 2000))[1, 1300:].any()  # padding stays zero
    with torch.no_grad():
        encoded = ours(batch, torch.tensor(lengths))
        for row, wave, length in zip(encoded.last, batch, lengths, strict=True):
            input = extractor(wave[:length].numpy(), sampling_rate=16000, return_tensors="pt").input_values
            alone = theirs(input).last_hidden_state[0]
            assert torch.allclose(row[: len(alone)], alone, atol=1e-4)


def edit(file, **settings):
    """Change settings of a JSON file in the folder, which may be missing."""

    def change(folder):
        known = json.loads((folder / file).read_text()) if (folder / file).exists() else {}
        (folder / file).write_text(json.dumps(known | settings))

    return change


def truncate(folder, file):
    if not (folder / file).exists():
        torch.save(load_file(folder / "model.safetensors"), folder / file)
        (folder / "model.safetensors").unlink()
    (folder / file).write_bytes((folder / file).read_bytes()[:-1000])


def each(change):
    """Change every tensor of the folder."""

    def rewrite(folder):
        state = load_file(folder / TENSORS)
        save_file({name: change(tensor) for name, tensor in state.items()}, folder / TENSORS)

    return rewrite


CONFIG, TENSORS = "config.json", "model.safetensors"
DAMAGES = [  # of a folder of a family, and the message
    ("hubert", lambda folder: (folder / CONFIG).unlink(), "config.json does not exist"),
    ("hubert", lambda folder: (folder / TENSORS).unlink(), "pytorch_model.bin"),
    ("hubert", lambda folder: truncate(folder, TENSORS), "cannot be read"),
    ("hubert", each(lambda tensor: tensor * float("nan")), "has values that are not finite"),
    *(
        ("hubert", each(lambda tensor, kind=kind: tensor.to(kind)), rf"\d+ tensors are quantised: .*{kind}")
        for kind in (torch.int8, torch.float8_e4m3fn)
    ),
    ("hubert", lambda folder: truncate(folder, "pytorch_model.bin"), "cannot be read"),
    ("hubert", edit(CONFIG, model_type="wavlm"), "contains a wavlm model, not hubert; set backbone.name=wavlm"),
    ("hubert", edit(CONFIG, model_type="data2vec-audio"), "set backbone.name=data2vec_audio"),
    ("hubert", edit(CONFIG, hidden_act="relu"), "hidden_act='relu'; only 'gelu'"),
    ("hubert", edit(CONFIG, intermediate_size=80), r"layers.0.ffn_in.weight \[64, 48\] instead of \[80, 48\]"),
    ("hubert", edit(CONFIG, num_hidden_layers=4), r"missing \(layers.3.attn.k.bias"),
    ("hubert", edit(CONFIG, num_hidden_layers=2), r"unexpected \(layers.2.attn.k.bias"),
    ("hubert", edit(CONFIG, conv_dim=3), "config.json has a setting of the wrong type"),
    ("hubert", edit(CONFIG, num_hidden_layers=10**9), "config.json: 1000000000 layers, but the weights have"),
    ("hubert", lambda folder: (folder / CONFIG).write_text('{"model_type": "hubert"}'), "lacks 'hidden_size'"),
    ("whisper", edit(CONFIG, activation_function="relu"), "config.json has activation_function='relu'; only 'gelu' is"),
    ("whisper", edit("preprocessor_config.json", hop_length=200), "feature extractor has hop_length=200; only"),
    (
        "whisper",
        edit("processor_config.json", feature_extractor={"n_fft": 512}),
        "feature extractor has n_fft=512; only",
    ),
    (
        "hubert",
        edit("processor_config.json", feature_extractor={"sampling_rate": 8000}),
        "sampling_rate=8000; only 16000",
    ),
    ("moonshine", edit("preprocessor_config.json", do_normalize=True), "do_normalize=True; only False"),
    ("moonshine", edit("preprocessor_config.json", feature_size=1), "do_normalize=True; only False"),
    ("moonshine", edit(CONFIG, rope_parameters={"partial_rotary_factor": 0.95, "rope_theta": 1e4}), "odd number"),
    ("moonshine", edit(CONFIG, rope_scaling={"type": "linear", "factor": 4.0}), "rope_type='linear'"),
    ("wav2vec2", edit(CONFIG, model_type="unispeech-sat"), "families with such folders are data2vec_audio, hub"),
]


@pytest.mark.parametrize(("name", "damage", "message"), DAMAGES)
def test_folders_that_do_not_fit_are_named(tmp_path, name, damage, message):
    folder = saved(huggingface(name), tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(SureError, match=message) as error:
        family(name).from_weights(folder)
    assert folder in str(error.value)


SHAPE = {"dim": 32, "layers": 3, "heads": 4, "ffn": 64, "kernels": [31, 7, 3], "strides": [16, 3, 2]}
NO_NUMBERS = [None, -1, 0, "x", [], 10**12, 10**5, 1.5, {}]
WRONG_SHAPES = [
    *({key: value} for key in ("dim", "layers", "heads", "kernels") for value in NO_NUMBERS),
    *({"kernels": value} for value in ([31, 7, "x"], [31, 7], [31, 7, -3])),
    *({"strides": [16, 0, 2]}, {"heads": 5}, {"wide": 1}),
]
NO_SHAPES = [{}, [], 1, "x", {"family": "moonshine"}, {"family": [1], "shape": {}}, {"family": "moonshine", "shape": 1}]
DESCRIPTIONS = {json.dumps({"family": "moonshine", "shape": SHAPE | shape}): "" for shape in WRONG_SHAPES}
DESCRIPTIONS |= dict.fromkeys(map(json.dumps, NO_SHAPES), "the metadata sure_backbone are not a family and a shape")


@pytest.fixture(scope="module")
def tensors():
    return Family.from_weights("random:moonshine").state_dict()


def refused(path, tensors, about, message):
    """Write the tensors with this description, and expect an error that names the file."""
    save_file(tensors, path, about)
    with pytest.raises(SureError, match=f"{path.name}.*{message}"):
        family("moonshine").from_weights(str(path))


@pytest.mark.parametrize("about", DESCRIPTIONS)
def test_descriptions_that_no_backbone_has(tmp_path, tensors, about):
    refused(tmp_path / "odd.safetensors", tensors, {"sure_backbone": about}, DESCRIPTIONS[about])


def test_files_that_do_not_fit_are_named(tmp_path, tensors, monkeypatch):
    path = tmp_path / "model.safetensors"
    refused(path, tensors, None, "its backbone is unknown")
    Family.from_weights("random:moonshine").save(path)
    with pytest.raises(SureError, match=r"set backbone\.name=moonshine"):
        family("wavlm").from_weights(str(path))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SureError, match="not a complete"):
        family("moonshine").from_weights(str(path))
    monkeypatch.setattr(nn.Module, "to_empty", lambda *_, **__: pytest.fail("memory was taken before the comparison"))
    about = json.dumps({"family": "moonshine", "shape": {**SHAPE, "dim": 320}})
    refused(path, tensors, {"sure_backbone": about}, "tensors have another shape")


@pytest.mark.parametrize(
    ("name", "weights", "settings", "message"),
    [
        ("moonshine", "downloads/absent.safetensors", {}, "absent.safetensors does not exist"),
        ("moonshine", "random:tini", {}, "did you mean 'tiny'"),
        ("tiny", "random:wavml", {}, "did you mean 'random:wavlm'"),
        ("tiny", "downloads/absent.safetensors", {}, "available: random:wav2vec2"),
        ("wavlm", "WAVLM_BASE_PLU", {}, "did you mean 'WAVLM_BASE_PLUS'"),
        ("wavlm", "HUBERT_BASE", {}, "HUBERT_BASE does not exist"),
        ("wavlm", "random:tiny", {"wide": 3}, "wide"),
        ("wav2vec2", "random", {"dim": 8}, "dim=8 is not a multiple of heads=12; change one of them"),
        ("hubert", "random:tiny", {"position_groups": 5}, "dim=32 is not a multiple of position_groups=5"),
        ("wavlm", "model.safetensors", {"dim": 3}, "dim can only be set for random weights"),
    ],
)
def test_unknown_weights_and_settings_are_named(name, weights, settings, message):
    with pytest.raises(SureError, match=message):
        family(name).from_weights(weights, **settings)


@pytest.mark.parametrize("bundle", [name for name in dir(torchaudio.pipelines) if re.match("WAV2|HUBERT|WAVLM", name)])
def test_every_bundle_fits(bundle):
    """Names and shapes of all tensors, without their numbers."""
    found = next(each for each in map(family, ("wav2vec2", "hubert", "wavlm")) if bundle.startswith(each.bundles))
    bundle = getattr(torchaudio.pipelines, bundle)
    make = torchaudio.models.wavlm_model if found is family("wavlm") else torchaudio.models.wav2vec2_model
    with torch.device("meta"):
        theirs = found.bundle_state(make(**bundle._params).state_dict())
        ours = found(found.bundle_shape(bundle._params, bundle._normalize_waveform)).state_dict()
    assert {name: tensor.shape for name, tensor in ours.items()} == {name: t.shape for name, t in theirs.items()}


def test_a_bundle_that_cannot_be_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", lambda *_, **__: open(tmp_path / "absent"))
    with pytest.raises(SureError, match=r"HUBERT_BASE could not be downloaded .* local Hugging Face folder"):
        family("hubert").from_weights("HUBERT_BASE")


DTYPES = {torch.float32: 0, torch.int16: 2, torch.float16: 4}
HALF = torch.tensor([0.5, -2.0], dtype=torch.float16)
STORED = {"encoder/weight": torch.arange(6.0).reshape(2, 3), "encoder/half": HALF}
STORED |= {"encoder/heads": torch.tensor(6, dtype=torch.int16), "encoder/none": torch.empty(0, 3)}


def text_of(words):
    return struct.pack("<H", len(words) + 1) + words.encode() + b"\0"


def written(tensors, version=6, kind="WhisperSpec"):
    content = struct.pack("<I", version) + text_of(kind) + struct.pack("<II", 3, len(tensors))
    for name, tensor in tensors.items():
        data = tensor.numpy().tobytes()
        content += text_of(name) + struct.pack(f"<B{tensor.dim()}I", tensor.dim(), *tensor.shape)
        content += struct.pack("<BI", DTYPES[tensor.dtype], len(data)) + data
    return content + struct.pack("<I", 1) + text_of("encoder/again") + text_of("encoder/weight")


def test_a_file_of_ctranslate2_is_read_as_written(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(written(STORED))
    found = read_ctranslate2(path, "WhisperSpec")
    assert list(found) == list(STORED)
    for name, tensor in STORED.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)


WHOLE = written(STORED)
SIZE = struct.pack("<BI", 4, 4)  # dtype and size of encoder/half


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is truncated at byte 0"),
        *((WHOLE[:size], f"is truncated at byte {size}") for size in (3, 10, 60, len(WHOLE) - 1)),
        (WHOLE + b"\0", "has 1 bytes after its end"),
        (written(STORED, version=3), "layout 4 to 6: it starts with 3"),
        (b"PK\3\4 a zip file", "is not a model.bin of CTranslate2"),
        (written(STORED, kind="TransformerSpec"), "contains a TransformerSpec model; expected WhisperSpec"),
        (WHOLE.replace(SIZE, struct.pack("<BI", 0, 4)), r"encoder/half \[2\] cannot have 4 bytes of dtype 0"),
        (WHOLE.replace(SIZE, struct.pack("<BI", 9, 4)), "4 bytes of dtype 9"),
    ],
)
def test_an_invalid_file_of_ctranslate2_is_named(tmp_path, content, message):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(SureError, match=message) as error:
        read_ctranslate2(path, "WhisperSpec")
    assert str(path) in str(error.value)
