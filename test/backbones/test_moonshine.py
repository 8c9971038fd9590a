"""Moonshine's real weights: what the tool makes of the published file computes what that file computes."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers

from sure.backbones.moonshine import Family, Shape
from sure.data.audio import read_audio

ROOT = Path(__file__).parents[2]
SAMPLES = 48000


@pytest.fixture(scope="module")
def converted(tool, moonshine_original, tmp_path_factory):
    path = tmp_path_factory.mktemp("moonshine") / "moonshine_tiny_en.safetensors"
    tool.convert_moonshine(moonshine_original, path)
    return path


@pytest.fixture(scope="module")
def wave(speech):
    return read_audio(str(speech))[None, :SAMPLES]


def test_conversion_is_the_recorded_one(tool, converted):
    assert hashlib.sha256(converted.read_bytes()).hexdigest() == tool.SOURCES["moonshine_tiny_en"].converted
    backbone = Family.from_weights(str(converted))
    assert backbone.shape == Shape()
    assert len(backbone.state_dict()) == 68


@torch.no_grad()
def test_equals_transformers(tool, converted, moonshine_original, wave):
    theirs = transformers.MoonshineModel(transformers.MoonshineConfig()).encoder.eval()
    tensors = {name: torch.tensor(array) for name, array in tool.onnx_tensors(moonshine_original).items()}
    theirs.load_state_dict(tensors)
    output = theirs(wave).last_hidden_state
    ours = Family.from_weights(str(converted))(wave, torch.tensor([SAMPLES])).last
    assert (ours - output).abs().max() < 1e-5 * output.abs().max()


@torch.no_grad()
def test_agrees_with_the_published_file(converted, moonshine_original, wave):
    """onnxruntime rounds activations to 8 bits, hence not closer."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(moonshine_original), providers=["CPUExecutionProvider"])
    given = {"input_values": wave.numpy(), "attention_mask": torch.ones_like(wave, dtype=torch.long).numpy()}
    output = torch.from_numpy(session.run(None, given)[0])
    ours = Family.from_weights(str(converted))(wave, torch.tensor([SAMPLES])).last
    assert ours.shape == output.shape
    assert torch.cosine_similarity(ours, output, dim=-1).mean() > 0.999


@torch.no_grad()
def test_padded_equals_alone_on_speech(converted, speech):
    backbone = Family.from_weights(str(converted))
    whole = read_audio(str(speech))
    lengths = [80000, 30000, 12345, 900]
    batch = torch.zeros(len(lengths), max(lengths))
    for index, length in enumerate(lengths):
        batch[index, :length] = whole[20000 : 20000 + length]
    encoded = backbone(batch, torch.tensor(lengths))
    for index, length in enumerate(lengths):
        alone = backbone(batch[index : index + 1, :length], torch.tensor([length])).last[0]
        assert (encoded.last[index, : len(alone)] - alone).abs().max() < 1e-5 * alone.abs().max()


def call(*arguments, **environment):
    command = [sys.executable, str(ROOT / "tools" / "fetch_backbone.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}
    )


@pytest.fixture
def offline():
    """No package index within reach: whatever succeeds has not fetched anything."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}


def test_what_is_there_is_not_fetched_again(converted, offline):
    before = converted.stat().st_mtime_ns
    done = call("moonshine_tiny_en", "--out", str(converted.parent), **offline)
    assert (done.returncode, done.stdout.strip()) == (0, str(converted))
    assert converted.stat().st_mtime_ns == before


def test_a_torn_file_is_never_taken(converted, tmp_path, offline):
    torn = tmp_path / converted.name
    torn.write_bytes(converted.read_bytes()[:-1])
    done = call("moonshine_tiny_en", "--out", str(tmp_path), **offline)
    assert done.returncode == 2 and "error: pip download moonshine-voice==0.0.49" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [torn]


def test_fetches_and_converts(converted, moonshine_original, tmp_path):
    done = call("moonshine_tiny_en", "--out", str(tmp_path / "downloads"))
    assert done.returncode == 0, done.stderr
    (found,) = (tmp_path / "downloads").iterdir()
    assert found.name == converted.name and found.read_bytes() == converted.read_bytes()


def test_a_missing_converter_is_named(tmp_path, monkeypatch, tool):
    source = tool.SOURCES["moonshine_tiny_en"]
    absent = "a_package_that_nobody_has"
    monkeypatch.setitem(tool.SOURCES, "other", type(source)(**{**vars(source), "needs": ("onnxruntime", absent)}))
    with pytest.raises(tool.SureError, match=f"pip install {absent}$"):
        tool.fetch_backbone("other", tmp_path)
    assert not list(tmp_path.iterdir())
