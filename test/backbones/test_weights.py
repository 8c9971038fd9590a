"""Where weights come from: what is read equals what was written, and what does not fit is named."""

import hashlib
import json
import urllib.request

import pytest
import torch
import torchaudio
import transformers
from originals import DATA2VEC, SIZES, enliven, huggingface, saved, torchaudio_model, waves
from safetensors.torch import load_file, save_file
from torch import nn

from sure import registry
from sure.backbones.tiny import MODELS, Family
from sure.backbones.weights import sha256_of_tensors
from sure.errors import SureError


def family(name):
    return registry.find("backbones", name)


def same(one, other):
    state = other.state_dict()
    return all(torch.equal(tensor, state[name]) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize("model", MODELS)
def test_saved_and_read_again(tmp_path, model):
    backbone = Family.from_weights(f"random:{model}", seed=5)
    backbone.sites()[0].slot.attached["module"] = nn.Linear(2, 2)  # attached modules are not the backbone's own
    path = tmp_path / "model.safetensors"
    backbone.save(path)
    again = type(backbone).from_weights(str(path))
    backbone.sites()[0].slot.attached.clear()
    assert same(backbone, again)
    assert again.shape == backbone.shape
    assert again.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(tmp_path.iterdir()) == [path]
    lengths = torch.tensor([3000, 2000])
    with torch.no_grad():
        assert torch.equal(again(waves([3000, 2000]), lengths).last, backbone(waves([3000, 2000]), lengths).last)


def test_random_weights_follow_the_seed_and_touch_no_global_state():
    before = torch.get_rng_state()
    one, again, other = (Family.from_weights("random:wavlm", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert same(one, again) and not same(one, other)
    assert (one.sha256, other.sha256) == ("random:wavlm_tiny:1", "random:wavlm_tiny:2")
    wider = Family.from_weights("random:wavlm", dim=48)
    assert wider.dim == 48 and wider.sha256 == "random:wavlm_tiny,dim=48:0"


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm", "data2vec_audio"])
def test_folders_of_models_with_a_head(tmp_path, name, binary, old):
    """A CTC model holds its encoder under a prefix; older ones name the weight norm's tensors differently."""
    config, model = {
        "wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2ForCTC),
        "hubert": (transformers.HubertConfig, transformers.HubertForCTC),
        "wavlm": (transformers.WavLMConfig, transformers.WavLMForCTC),
        "data2vec_audio": (transformers.Data2VecAudioConfig, transformers.Data2VecAudioForCTC),
    }[name]
    theirs = enliven(model(config(**{**SIZES, **(DATA2VEC if name == "data2vec_audio" else {})})))
    folder = tmp_path / "model"
    theirs.save_pretrained(folder)
    state = load_file(folder / "model.safetensors")
    if old:
        new = ("parametrizations.weight.original0", "parametrizations.weight.original1")
        state = {key.replace(new[0], "weight_g").replace(new[1], "weight_v"): state[key] for key in state}
    (folder / "model.safetensors").unlink()
    if binary:
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file(state, folder / "model.safetensors")
    (file,) = {*folder.glob("*.bin"), *folder.glob("*.safetensors")}
    ours = family(name).from_weights(str(folder))
    assert ours.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    ours.normalize_waveform = False  # which is the feature extractor's part there
    base = theirs.base_model
    with torch.no_grad():
        found = ours(waves([2000]), torch.tensor([2000])).last
        assert torch.allclose(found, base(waves([2000])).last_hidden_state, atol=1e-5)
    assert torch.equal(ours.mask_embedding, base.masked_spec_embed)


@pytest.mark.parametrize(
    ("said", "size", "wanted"), [(True, "base", True), (False, "large", False), (None, "large", True)]
)
@torch.no_grad()
def test_waveforms_are_normalised_where_the_preprocessor_says_so(tmp_path, said, size, wanted):
    theirs = huggingface("wav2vec2", size)
    folder = saved(theirs, tmp_path)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=wanted)
    if said is not None:
        transformers.Wav2Vec2FeatureExtractor(do_normalize=said).save_pretrained(folder)
    ours = family("wav2vec2").from_weights(folder)
    assert ours.normalize_waveform is wanted
    lengths = [2000, 1300]
    batch = 0.1 + 3 * waves(lengths)
    batch *= torch.arange(2000) < torch.tensor(lengths)[:, None]
    encoded = ours(batch, torch.tensor(lengths))
    for index, length in enumerate(lengths):
        heard = extractor(batch[index, :length].numpy(), sampling_rate=16000, return_tensors="pt").input_values
        alone = theirs(heard).last_hidden_state[0]
        assert torch.allclose(encoded.last[index, : len(alone)], alone, atol=1e-4)


def change(folder, **settings):
    path = f"{folder}/config.json"
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config | settings, file)


def break_folder(how, path):
    """Returns the family's name to load it as, and what the message has to say."""
    weights = path / "model.safetensors"
    if how == "other family":
        return "wavlm", "backbone.name=hubert"
    if how == "no config":
        (path / "config.json").unlink()
        return "hubert", "config.json does not exist"
    if how == "bad config":
        (path / "config.json").write_text("{", encoding="utf-8")
        return "hubert", "not valid JSON"
    if how == "no weights":
        weights.unlink()
        return "hubert", "pytorch_model.bin"
    if how == "torn weights":
        weights.write_bytes(weights.read_bytes()[:-1000])
        return "hubert", "cannot be read"
    if how == "torn binary":
        torch.save(load_file(weights), path / "pytorch_model.bin")
        weights.unlink()
        torn = (path / "pytorch_model.bin").read_bytes()[:-1000]
        (path / "pytorch_model.bin").write_bytes(torn)
        return "hubert", "cannot be read"
    if how == "other activation":
        change(path, hidden_act="relu")
        return "hubert", "hidden_act='relu'"
    if how == "other width":
        change(path, intermediate_size=80)
        return "hubert", r"layers.0.ffn_in.weight \[64, 48\] instead of \[80, 48\]"
    if how == "other depth":
        change(path, num_hidden_layers=4)
        return "hubert", r"missing \(layers.3.attn.k.bias"
    change(path, num_hidden_layers=2)
    return "hubert", r"unexpected \(layers.2.attn.k.bias"


BROKEN = (
    "other family",
    "no config",
    "bad config",
    "no weights",
    "torn weights",
    "torn binary",
    "other activation",
    "other width",
    "other depth",
    "less depth",
)


@pytest.mark.parametrize("how", BROKEN)
def test_folders_that_do_not_fit_are_named(tmp_path, how):
    folder = tmp_path / "model"
    saved(huggingface("hubert", "base"), folder)
    name, message = break_folder(how, folder)
    with pytest.raises(SureError, match=message) as error:
        family(name).from_weights(str(folder))
    assert str(folder) in str(error.value)


def test_a_name_that_no_file_can_have(tmp_path):
    """Hugging Face says data2vec-audio."""
    folder = saved(huggingface("data2vec_audio", "base"), tmp_path)
    with pytest.raises(SureError, match=r"set backbone\.name=data2vec_audio instead of hubert"):
        family("hubert").from_weights(folder)
    assert family("data2vec_audio").from_weights(folder).shape.position_layers == DATA2VEC["num_conv_pos_embeddings"]


def test_files_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "model.safetensors"
    Family.from_weights("random:moonshine").save(path)
    with pytest.raises(SureError, match=r"set backbone\.name=moonshine"):
        family("wavlm").from_weights(str(path))
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SureError, match="not a complete"):
        family("moonshine").from_weights(str(torn))
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, foreign)
    with pytest.raises(SureError, match="its backbone is unknown"):
        family("moonshine").from_weights(str(foreign))


SHAPE = {"dim": 32, "layers": 3, "heads": 4, "ffn": 64, "kernels": [31, 7, 3], "strides": [16, 3, 2]}
NO_NUMBERS = [None, -1, 0, "x", [], 10**12, 10**5, 1.5, {}]
WRONG_SHAPES = {
    **{f"dim={value!r}": {"dim": value} for value in NO_NUMBERS},
    **{f"layers={value!r}": {"layers": value} for value in NO_NUMBERS},
    **{f"heads={value!r}": {"heads": value} for value in NO_NUMBERS},
    **{f"kernels={value!r}": {"kernels": value} for value in (*NO_NUMBERS, [31, 7, "x"], [31, 7], [31, 7, -3])},
    "no step": {"strides": [16, 0, 2]},
    "heads that do not fit": {"heads": 5},
    "no such size": {"wide": 1},
}


def rewritten(path, about):
    """The weights of `random:moonshine` with other metadata."""
    Family.from_weights("random:moonshine").save(path)
    save_file(load_file(path), path, {"sure_backbone": about})
    return str(path)


@pytest.mark.parametrize("kind", WRONG_SHAPES)
def test_shapes_that_no_backbone_has(tmp_path, kind):
    about = json.dumps({"family": "moonshine", "shape": {**SHAPE, **WRONG_SHAPES[kind]}})
    with pytest.raises(SureError, match="odd.safetensors"):
        family("moonshine").from_weights(rewritten(tmp_path / "odd.safetensors", about))


@pytest.mark.parametrize(
    "about",
    [
        "{}",
        "[]",
        "1",
        '"x"',
        '{"family": "moonshine"}',
        '{"family": [1], "shape": {}}',
        '{"family": "moonshine", "shape": 1}',
    ],
)
def test_metadata_that_are_no_shape(tmp_path, about):
    with pytest.raises(SureError, match="odd.safetensors: the metadata sure_backbone are not a family and a shape"):
        family("moonshine").from_weights(rewritten(tmp_path / "odd.safetensors", about))


def test_shapes_are_compared_before_memory_is_taken(tmp_path, monkeypatch):
    about = json.dumps({"family": "moonshine", "shape": {**SHAPE, "dim": 320}})
    path = rewritten(tmp_path / "odd.safetensors", about)
    monkeypatch.setattr(nn.Module, "to_empty", lambda *_, **__: pytest.fail("memory was taken"))
    with pytest.raises(SureError, match="tensors have another shape"):
        family("moonshine").from_weights(path)


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("moonshine", "downloads/absent.safetensors", "absent.safetensors does not exist"),
        ("moonshine", "random:tini", "did you mean 'tiny'"),
        ("tiny", "random:wavml", "did you mean 'random:wavlm'"),
        ("tiny", "downloads/absent.safetensors", "available: random:wav2vec2"),
        ("wavlm", "WAVLM_BASE_PLU", "did you mean 'WAVLM_BASE_PLUS'"),
        ("wavlm", "HUBERT_BASE", "HUBERT_BASE does not exist"),
    ],
)
def test_unknown_weights_are_named(name, weights, message):
    with pytest.raises(SureError, match=message):
        family(name).from_weights(weights)


def test_unknown_settings_are_named():
    with pytest.raises(SureError, match="expected masked or as_trained"):
        family("wavlm").from_weights("random:tiny", padding="none")
    with pytest.raises(SureError, match="wide"):
        family("wavlm").from_weights("random:tiny", wide=3)


BUNDLES = {
    bundle: name
    for name in ("wav2vec2", "hubert", "wavlm")
    for bundle in dir(torchaudio.pipelines)
    if bundle.startswith(family(name).bundles) and hasattr(getattr(torchaudio.pipelines, bundle), "_params")
}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_every_bundle_fits(bundle):
    """Names and shapes of all tensors, without their numbers."""
    found, bundle = family(BUNDLES[bundle]), getattr(torchaudio.pipelines, bundle)
    make = torchaudio.models.wavlm_model if found is family("wavlm") else torchaudio.models.wav2vec2_model
    with torch.device("meta"):
        theirs = found.bundle_state(make(**bundle._params).state_dict())
        ours = found(found.bundle_shape(bundle._params, bundle._normalize_waveform)).state_dict()
    assert {name: tensor.shape for name, tensor in ours.items()} == {name: t.shape for name, t in theirs.items()}


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm"])
def test_a_bundle_that_was_fetched_before(tmp_path, monkeypatch, name, normalised):
    """A bundle of torchaudio's own class, smaller than the published, and the file torch.hub leaves."""
    theirs = torchaudio_model(name, "large" if normalised else "base")
    theirs.aux = None
    parameters = {**theirs.parameters_of_bundle, "aux_num_out": None}
    kind = "WavLM" if name == "wavlm" else "Wav2Vec2"
    bundle = torchaudio.pipelines.Wav2Vec2Bundle("small.pth", parameters, 16000, normalised, kind)
    monkeypatch.setattr(torchaudio.pipelines, f"{name.upper()}_SMALL", bundle, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(theirs.state_dict(), tmp_path / "hub" / "checkpoints" / "small.pth")
    ours = family(name).from_weights(f"{name.upper()}_SMALL")
    with torch.no_grad():
        found = ours(waves([2000]), torch.tensor([2000])).last
        assert torch.allclose(found, bundle.get_model()(waves([2000]))[0], atol=1e-5)
    assert ours.normalize_waveform is normalised
    assert ours.sha256 == sha256_of_tensors(ours.state_dict())


def test_a_bundle_that_cannot_be_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "_opener", None)  # it keeps the proxies of its first use, for all tests after
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SureError, match=r"HUBERT_BASE could not be downloaded .* local Hugging Face folder"):
        family("hubert").from_weights("HUBERT_BASE")
