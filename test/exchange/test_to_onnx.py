"""ONNX graphs compute what PyTorch computes, for any batch and duration, or are refused."""

import json
import logging
import sys
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
import toys
from models import disturb, make, write_adapter
from speech import speech

from sure.bin import export
from sure.data.data_dir import read_data_dir
from sure.errors import SureError
from sure.exchange.onnx_model import OnnxModel, check_equal, difference
from sure.exchange.to_onnx import MODEL, TOLERANCE, Graph, merge_if_possible, output_kind, write_onnx
from sure.inference import Sure
from sure.models.loading import wave_batches

# Methods that cannot be merged, on families with and without a norm after the last layer; the command below merges.
CASES = [("wav2vec2", "verification", "prefix"), ("whisper", "language", "conv_adapter")]


@pytest.fixture(autouse=True)
def quiet():
    """Without the log of the tracer, thousands of lines that pytest would format and keep."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("family, task, method", CASES)
def test_a_graph_has_the_outputs_of_pytorch(tmp_path, family, task, method):
    """On speech of several durations, in a batch and alone; the graph was traced with noise of other durations."""
    model = make(tmp_path, method, family, task).eval()
    model.backbone.layers = model.backbone.layers[:1]  # tracing takes seconds
    disturb(model, 0.02)
    (note,) = merge_if_possible(model)
    assert method in note and "without merging" in note
    write_onnx(model, tmp_path / MODEL)
    onnx, graph = OnnxModel(tmp_path / MODEL, model), Graph(model)
    for texts in (["a", "some longer text", "of speech"], ["alone"]):
        (batch,) = wave_batches([torch.from_numpy(speech(text)) for text in texts], 60.0)
        assert difference(graph, onnx, batch.waves, batch.wave_lengths) < TOLERANCE
    with torch.no_grad():
        model.head.projection.bias.add_(0.1)
    with pytest.raises(SureError, match="differs from PyTorch by"):
        check_equal(model, onnx)


def test_the_command_writes_graph_description_tokens_and_scores(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bundle, corpus = write_adapter(tmp_path, "lora", task="asr", family="moonshine"), toys.make_corpus(tmp_path / "c")
    arguments = ["--precision", "int8", "--data", str(corpus / "data" / "test"), "--json"]
    capsys.readouterr()
    export.main([str(bundle), "--to", "onnx", "--out", "onnx", *arguments])
    printed = json.loads(capsys.readouterr().out)
    about = json.loads((tmp_path / "onnx" / "model.json").read_text())
    assert set(printed["files"]) == {"model.json", "model.onnx", "tokenizer.json", "tokens.txt"}
    assert {"pytorch", "fp32", "int8"} < about["scores"].keys() and about["precision"] == "int8"
    # as a program without SURE, by the description alone
    session = onnxruntime.InferenceSession("onnx/model.onnx")
    inputs, outputs = ([each.name for each in every] for every in (session.get_inputs(), session.get_outputs()))
    assert inputs == list(about["inputs"]) and outputs == list(about["outputs"])
    wave = toys.tones("abc")
    logs, frames = session.run(None, dict(zip(inputs, [wave[None], np.array([len(wave)])], strict=True)))
    sure = Sure.load(bundle, device="cpu")
    wanted = sure.model.log_probabilities(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))[0].numpy()
    assert frames.tolist() == [len(wanted)] and 0 < np.abs(logs[0, : len(wanted)] - wanted).max() < 0.5
    references = {one.id: one.text for one in read_data_dir(corpus / "data" / "test")}
    lines = dict(zip(references, sure.predict([f"c/wav/test{index}.wav" for index in range(7)]), strict=True))
    assert about["scores"]["pytorch"]["wer"] == pytest.approx(sure.model.task.score(references, lines)["wer"])
    assert about["scores"]["fp32"] == about["scores"]["pytorch"]


def test_what_cannot_be_exported_is_refused(tmp_path, monkeypatch):
    with pytest.raises(SureError, match=r"--to ctranslate2, or --to transformers and then optimum"):
        output_kind(SimpleNamespace())
    with pytest.raises(SureError, match="--precision and --data are for --to onnx"):
        export.main(["bundle", "--to", "peft", "--out", str(tmp_path / "new"), "--precision", "int8"])
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(SureError, match="needs onnxscript; run tools/install.sh --extras convert"):
        write_onnx(make(tmp_path, "lora", "moonshine", "asr"), tmp_path / MODEL)
