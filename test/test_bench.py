"""The scripts of bench/: both sides of a comparison train the same model, and the rows become a table."""

import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from toys import make_corpus

from sure.config import make_config
from sure.frames import Frames
from sure.models.build import build_model, build_task

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


def test_a_row_is_measured_and_becomes_a_line_of_the_table(corpus, tmp_path):
    out, page = tmp_path / "results.jsonl", tmp_path / "results.md"
    options = ["--work", "lora_full_depth", "--shape", "tiny", "--epochs", "1", "--rounds", "1", "--out", str(out)]
    command = [sys.executable, str(BENCH / "training.py"), *options, "--data", str(corpus)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    row = json.loads(out.read_text())
    assert "peer / SURE" in printed and row["trained"]["sure"] == row["trained"]["peer"]
    assert min(row["seconds"].values()) > 0 and row["floor"]["seconds"] > 0
    subprocess.run([sys.executable, str(BENCH / "results.py"), str(out), "--page", str(page)], check=True)
    assert "| lora_full_depth |" in page.read_text() and row["machine"] in page.read_text()


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


def test_clips_of_two_lengths_are_compared(corpus):
    command = [sys.executable, str(BENCH / "lengths.py"), "--shape", "tiny", "--data", str(corpus), "--clips", "2", "1"]
    printed = subprocess.run([*command, "--seconds", "4", "--rounds", "1"], check=True, capture_output=True, text=True)
    assert "clips of 2 s" in printed.stdout and "padding of train (" in printed.stdout


def test_the_share_of_padding_by_hand(scripts):
    from lengths import padding

    from sure.data.batching import SecondsBatchSampler

    sampler = SecondsBatchSampler(
        [2.0, 1.95, 1.0] * 40, 1000.0, shuffle=False
    )  # a batch of the first two, one of the last
    assert padding(sampler) == pytest.approx(100 * 0.05 / 5.0)
