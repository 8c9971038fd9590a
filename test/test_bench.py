"""The scripts of bench/: both sides of a comparison train the same model, and the rows become a table."""

import importlib
import json
import os
import runpy
import sys
import traceback
from argparse import Namespace
from pathlib import Path
from typing import IO

import pytest
import torch
from models import disturb
from toys import make_corpus

from sure.config import make_config
from sure.frames import Frames
from sure.models.build import build_model, build_task
from sure.petl.bundle import write_bundle

BENCH = Path(__file__).parent.parent / "bench"

pytest.importorskip("peft")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """data/{train,dev} and data/tokens."""
    folder = make_corpus(tmp_path_factory.mktemp("tones"))
    (folder / "data/tokens").symlink_to(folder / "tokens_asr")
    return folder / "data"


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))


@pytest.fixture
def output_of(scripts, monkeypatch, capsys):
    """`output_of(name, *words)`: the output of a script."""

    def run(name: str, *words: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *words])
        importlib.import_module(name).main()
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("work", ["lora_upper_half", "conv_adapter", "bottleneck", "probe", "side_network", "full"])
def test_both_sides_start_as_the_same_function_and_train_as_many_parameters(work, corpus, scripts):
    from peers import Peer
    from works import settings

    from sure.data.collate import Batch

    config = make_config(settings(work, "tiny", corpus), work)
    task = build_task(config)
    ours, theirs = build_model(config, task).eval(), Peer(config, task).eval()
    theirs.head.load_state_dict(ours.head.state_dict())
    waves = 0.1 * torch.randn(2, 16000, generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([16000, 16000])  # in transformers, padding changes the statistics of the front end
    with torch.no_grad():
        outputs, frames = theirs(Batch([], waves, lengths, []))
        expected = ours.outputs(ours.encode(waves, lengths))
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-4)
    assert isinstance(frames, Frames) and frames.lengths.tolist() == ours.encode(waves, lengths).lengths.tolist()
    trained = sum(one.numel() for name, one in theirs.named_parameters() if one.requires_grad)
    unused = theirs.encoder.masked_spec_embed.numel() if work == "full" else 0
    assert abs(trained - ours.counts().trained) <= unused


def fork(command: list[str], stdout: IO[str], stderr: IO[str]) -> Namespace:
    """In place of Popen: runs a script, or `-m` and a module, in a fork of this process, which has the libraries."""
    process = os.fork()
    if process:
        return Namespace(pid=process)
    torch.set_num_threads(1)  # the other threads of this process do not exist in a fork
    status = 1
    try:
        for number, file in ((1, stdout), (2, stderr)):
            os.dup2(file.fileno(), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        is_module = command[1] == "-m"
        sys.argv = command[1 + is_module :]
        (runpy.run_module if is_module else runpy.run_path)(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def test_a_row_is_measured_and_becomes_a_line_of_the_table(corpus, tmp_path, output_of, monkeypatch):
    import training

    out, page = tmp_path / "results.jsonl", tmp_path / "results.md"
    monkeypatch.setattr(training, "subprocess", Namespace(Popen=fork))
    options = ["--work", "lora_full_depth", "--shape", "tiny", "--epochs", "1", "--rounds", "1", "--out", str(out)]
    printed = output_of("training", *options, "--data", str(corpus))
    row = json.loads(out.read_text())
    assert "peer / SURE" in printed and row["trained"]["sure"] == row["trained"]["peer"]
    assert min(row["seconds"].values()) > 0 and row["floor"]["seconds"] > 0
    output_of("results", str(out), "--page", str(page))
    assert "| lora_full_depth |" in page.read_text() and row["machine"] in page.read_text()
    printed = output_of("hours", "--shape", "tiny", "--hours", "0.008", "--data", str(corpus))  # a corpus of 16 s
    _, _, utterances, _, cache, *_ = printed.splitlines()[-1].split("|")
    assert int(utterances) == 48 and int(cache) > 0


def test_losses_of_whisper_are_those_of_transformers(corpus, tmp_path, scripts):
    from peft_whisper import PeerData, labelled, peer_model, settings

    from sure.backbones.whisper_recognizer import Recognizer
    from sure.data.collate import collate
    from sure.text.recognizer_tokens import RecognizerTokens

    tokens = RecognizerTokens.bytes(["en"])
    Recognizer.from_weights("random:toy", vocabulary=tokens.size).save(tmp_path / "toy.safetensors", tokens.dumps())
    options = Namespace(
        weights=str(tmp_path / "toy.safetensors"), language="en", padding="as_trained", epochs=1, rate=1e-3, seed=1,
        precision="fp32",
    )  # fmt: skip
    data = tmp_path / "data"
    data.mkdir()
    for name in ("train", "dev"):
        (data / name).symlink_to(corpus / name)
    tokens.save(data / "tokens")
    config = make_config(settings(options, data), "whisper")
    task = build_task(config)
    ours, theirs = build_model(config, task).eval(), peer_model(config).eval()
    items = PeerData(config.data.train, task, config)
    features, targets = items.batch([0])
    inputs, labels = labelled(targets, task.prompt_length, task.tokens.end)
    with torch.no_grad():
        loss = theirs(input_features=features, decoder_input_ids=inputs, labels=labels).loss
        torch.testing.assert_close(ours(collate(items.items[:1]))[0], loss, rtol=1e-4, atol=1e-4)
    assert sum(one.numel() for one in theirs.parameters() if one.requires_grad) == ours.counts().trained


@pytest.fixture(scope="module")
def whisper(corpus, tmp_path_factory):
    """The bundle of a random Whisper with LoRA away from its start."""
    from sure.backbones.whisper_recognizer import Recognizer
    from sure.text.recognizer_tokens import RecognizerTokens

    folder = tmp_path_factory.mktemp("whisper")
    tokens, weights = RecognizerTokens.bytes(["en"]), folder / "toy.safetensors"
    recognizer = Recognizer.from_weights("random:toy", vocabulary=tokens.size)
    torch.manual_seed(1)
    for parameter in recognizer.decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    recognizer.decoder.tokens.weight.data[tokens.encode("abcdefgh")] *= 3  # so that texts have letters
    recognizer.save(weights, tokens.dumps())
    tokens.save(folder / "tokens")
    given = {"train": str(corpus / "train"), "valid": str(corpus / "dev")}
    config = make_config(
        {
            "task": "transcription",
            "data": given,
            "tokenizer": {"folder": str(folder / "tokens")},
            "backbone": {"name": "whisper", "weights": str(weights)},
            "petl": "lora",
            "decode": {"generation": {"max_tokens": 12}},
        },
        "whisper",
    )
    model = build_model(config, build_task(config))
    disturb(model, 0.1)
    write_bundle(folder / "bundle", model.bundle(config, folder / "tokens"))
    return folder / "bundle"


def test_texts_of_whisper_are_those_of_transformers(whisper, corpus, scripts, monkeypatch, capsys):
    import whisper_texts

    monkeypatch.setattr(whisper_texts, "BATCH", 2)
    words = ["", str(whisper), "--data", str(corpus / "dev"), "--count", "2", "--beams", "3", "--most", "8"]
    monkeypatch.setattr(sys, "argv", words)
    found = []
    with monkeypatch.context() as patch:
        patch.setattr(whisper_texts, "report", lambda *row: found.append(row))
        whisper_texts.main()
    assert len(found) == 6 and all(all(ours) and ours == theirs for _, _, ours, theirs in found), found
    texts = {what: tuple(ours) for what, _, ours, _ in found}
    assert len({texts[f"{kind}, beam 3, attached, alone"] for kind in ("as it is", "adapted")}) == 2
    whisper_texts.report("greedy", ["u1", "u2"], ["a", "b"], ["a", "c"])
    assert capsys.readouterr().out.startswith("greedy: 1 of 2 texts are equal\n  u2\n    SURE:         b\n")


def test_words_in_noise_and_errors_in_a_long_recording_are_reported(whisper, corpus, output_of, monkeypatch):
    import hallucination

    monkeypatch.setattr(hallucination, "KINDS", {"silence": None, "pink noise -20 dB": -20.0})
    printed = output_of("hallucination", str(whisper), "--seconds", "1", "--clips", "1")
    rows = [row.strip("| ").split(" | ") for row in printed.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["silence", "1"], ["pink noise -20 dB", "1"]]
    assert all(float(words) == len(text.split()) for row in rows for words, text in (row[2:4], row[4:6]))
    noise = hallucination.clip("pink noise -20 dB", 2.0, 1)
    assert (
        noise.square().mean().sqrt().item() == pytest.approx(0.1, rel=0.01)
        and not hallucination.clip("silence", 1.0, 1).any()
    )
    printed = output_of("long_recording", str(whisper), "--data", str(corpus / "dev"), "--seconds", "3")
    kinds = [row.split(" | ")[:2] for row in printed.splitlines()[2:]]
    ways = ["one by one", "whole, windows cut at pauses", "whole, windows by timestamps"]
    assert kinds == [[f"| {kind}", way] for kind in ("as it is", "adapted") for way in ways]


def test_inference_of_both_sides_finds_the_same_texts(corpus, scripts):
    """In float32, one utterance a batch: in transformers, padding changes the statistics of the front end."""
    from inference import with_pipeline, with_sure
    from works import settings

    config = make_config(settings("lora_full_depth", "tiny", corpus), "inference")
    waves = list(0.1 * torch.randn(2, 16000, generator=torch.Generator().manual_seed(1)))
    device = torch.device("cpu")
    ours = with_sure(config, "fp32 merged", device)(waves)
    theirs = with_pipeline(config, "fp32", device, batch=1)(waves)
    assert ours == theirs and all(ours)


@pytest.mark.parametrize("side", ["sure", "sure cached", "peer"])
def test_the_script_for_gpus_measures_each_side(side, scripts):
    from argparse import Namespace

    from gpu import measure

    options = Namespace(device="cpu", seconds=[1.0], batch_seconds=2.0, steps=1, matmul=64)
    found = measure(side, "whisper:tiny", options)
    assert min(found[key] for key in ("audio_seconds_per_second", "operations", "matmul_rate", "peak_megabytes")) > 0


def test_the_time_to_a_score_is_that_of_the_fastest_rate(scripts):
    from time_to_quality import best, reached

    history = [(10.0, 50.0), (20.0, 12.0), (30.0, 9.0)]
    assert reached(history, 12.0) == 20.0 and reached(history, 5.0) is None
    trainings = [{"rate": rate, "sure": {"seconds": seconds}} for rate, seconds in ((1, None), (2, 8.0), (3, 9.0))]
    assert best({"trainings": trainings}, "sure") == (8.0, 2) and best({"trainings": trainings[:1]}, "sure") is None


def test_clips_of_two_lengths_are_compared(corpus, output_of):
    options = ["--shape", "tiny", "--data", str(corpus), "--clips", "2", "1", "--seconds", "4", "--rounds", "1"]
    printed = output_of("lengths", *options)
    assert "clips of 2 s" in printed and "padding of train (" in printed


def test_the_share_of_padding_by_hand(scripts):
    from lengths import padding

    from sure.data.batching import SecondsBatchSampler

    sampler = SecondsBatchSampler(
        [2.0, 1.95, 1.0] * 40, 1000.0, shuffle=False
    )  # a batch of the first two, one of the last
    assert padding(sampler) == pytest.approx(100 * 0.05 / 5.0)


@pytest.mark.slow
def test_a_server_under_load_is_checked(output_of):
    printed = output_of("serve_load", "--minutes", "0.1", "--clients", "12", "--kill-after", "1", "--growth", "50")
    assert "every answer was right" in printed and "| predict |" in printed
