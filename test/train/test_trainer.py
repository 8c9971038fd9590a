"""Training learns, writes its results, and refuses impossible settings and data."""

from __future__ import annotations

import json
import logging

import pytest
import soundfile
import torch
from safetensors.torch import load_file
from toys import kill, make_set, read_lines, train_child, train_here, wait_for

from sure.bin import train
from sure.config import load_config
from sure.errors import SureError


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """A finished experiment, not to be changed."""
    exp = tmp_path_factory.mktemp("exp") / "seed1"
    return train_here(corpus, exp, train__epochs=12)


def weights(exp):
    return load_file(exp / "best.safetensors")


def same(exp, reference):
    one, other = weights(exp), weights(reference)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns(trained):
    history = read_lines(trained)
    assert [line["epoch"] for line in history] == list(range(1, 13))
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    assert max(line["dev_accuracy"] for line in history) >= 80


def test_files_of_an_experiment(trained, corpus):
    labels = (corpus / "tokens_language" / "labels.json").read_bytes()
    assert (trained / "tokens" / "labels.json").read_bytes() == labels  # a copy of the results of stage 3
    for name in ("loss", "rate", "score"):
        assert (trained / "images" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert load_config(trained / "config.yaml").train.epochs == 12
    command = (trained / "command.txt").read_text().splitlines()[-1]
    assert command.startswith("python -m sure.bin.train --config ")
    assert "torch 2" in (trained / "environment.txt").read_text()
    best = json.loads((trained / "best.json").read_text())
    history = read_lines(trained)
    assert best["score"] == max(line["dev_accuracy"] for line in history)
    assert best["score"] == history[best["epoch"] - 1]["dev_accuracy"]
    line = history[3]
    assert {"step", "train_loss", "dev_loss", "lr_adapter", "lr_head", "seconds"} <= line.keys()
    assert {"audio_seconds_per_second", "peak_memory_megabytes"} <= line.keys()


def test_the_summary(trained):
    summary = json.loads((trained / "summary.json").read_text())
    table = (trained / "train.log").read_text()
    assert summary["trained_parameters"] == summary["adapter_parameters"] + summary["head_parameters"]
    for key in ("trained_parameters", "head_parameters"):
        assert f"{summary[key]:,}" in table
    assert summary["trained_percent"] == pytest.approx(
        100 * summary["trained_parameters"] / summary["total_parameters"]
    )
    stored = sum(tensor.nbytes for tensor in weights(trained).values())
    assert stored < summary["bundle_bytes"] < stored + 20_000
    assert summary["backbone_sha256"] == "random:moonshine_tiny:1"
    assert summary["epochs"] == 12 and summary["seed"] == 1
    assert summary["dev_score"] == json.loads((trained / "best.json").read_text())["score"]
    assert summary["training_seconds"] > 0 and summary["peak_memory_megabytes"] > 100


def test_tensorboard_has_the_same_numbers(trained):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401  (the format: length, crc, event, crc)

    (file,) = (trained / "tensorboard").iterdir()
    content, found = file.read_bytes(), {}
    while content:
        size = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + size])
        found.update({(value.tag, event.step): value.simple_value for value in event.summary.value})
        content = content[16 + size :]
    for line in read_lines(trained):
        assert found["train_loss", line["step"]] == pytest.approx(line["train_loss"])
        assert found["dev_accuracy", line["step"]] == pytest.approx(line["dev_accuracy"])


def test_once_finished_it_does_nothing(trained, corpus, caplog):
    before = {path: path.stat().st_mtime_ns for path in trained.glob("*.safetensors")}
    with caplog.at_level(logging.INFO):
        train_here(corpus, trained, train__epochs=12)
    assert "already finished" in caplog.text
    assert before == {path: path.stat().st_mtime_ns for path in trained.glob("*.safetensors")}


def test_another_config_needs_another_folder(trained, corpus):
    with pytest.raises(SureError) as error:
        train_here(corpus, trained, train__epochs=12, petl__rank=3, seed=2)
    for word in ("petl.rank: was 2, is 3", "seed: was 1, is 2", "--restart", "--exp"):
        assert word in str(error.value)
    assert load_config(trained / "config.yaml").petl[0].rank == 2


def test_restart_begins_again(corpus, tmp_path):
    exp = train_here(corpus, tmp_path / "exp", train__epochs=1)
    first = (exp / "best.safetensors").read_bytes()
    train_here(corpus, exp, "--restart", train__epochs=1, seed=2)
    assert load_config(exp / "config.yaml").seed == 2
    assert (exp / "best.safetensors").read_bytes() != first


def test_a_slurm_job_that_is_queued_again_restarts_once(corpus, tmp_path, monkeypatch):
    exp = train_here(corpus, tmp_path / "exp", train__epochs=1)
    times = []
    for job, count in (("12", "0"), ("12", "1"), ("2", "1"), ("2", "2")):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        monkeypatch.setenv("SLURM_RESTART_COUNT", count)
        train_here(corpus, exp, "--restart", train__epochs=1)
        times.append((exp / "summary.json").stat().st_mtime_ns)
    assert times[0] == times[1] < times[2] == times[3]


def test_the_same_for_any_number_of_workers_and_anew_for_a_seed(corpus, tmp_path):
    changes = {"train__prefix_cache": "off", "train__epochs": 2, "augment": {"speed": [0.9, 1.0, 1.1]}}
    runs = [
        train_here(corpus, tmp_path / f"{workers}-{seed}", train__workers=workers, seed=seed, **changes)
        for workers, seed in ((0, 1), (2, 1), (0, 2))
    ]
    assert same(runs[0], runs[1]) and not same(runs[0], runs[2])


def test_the_cache_changes_nothing_that_is_learned(corpus, tmp_path):
    dropout_off = {"petl__dropout": 0.0, "head__dropout": 0.0, "train__epochs": 1}
    cached = train_here(corpus, tmp_path / "cached", **dropout_off)
    computed = train_here(corpus, tmp_path / "computed", train__prefix_cache="off", **dropout_off)
    assert read_lines(cached)[0]["train_loss"] == pytest.approx(read_lines(computed)[0]["train_loss"], rel=1e-4)


def moments(corpus, exp, **changes):
    """First moments of AdamW after one step on the whole training set: a tenth of the gradient."""
    changes = {"petl__dropout": 0.0, "head__dropout": 0.0, "train__epochs": 1, "train__batch_seconds": 1e3, **changes}
    train_here(corpus, exp, **changes)
    assert read_lines(exp)[0]["step"] == 1
    states = torch.load(exp / "checkpoints" / "last.pt", weights_only=True)["optimizer"]["state"]
    return torch.cat([states[key]["exp_avg"].flatten() for key in sorted(states)])


def test_accumulated_batches_are_one_large_batch(corpus, tmp_path):
    one = moments(corpus, tmp_path / "one", train__clip=1e9)
    many = moments(corpus, tmp_path / "many", train__clip=1e9, train__batch_seconds=2.0, train__accumulate=1000)
    assert one.abs().max() > 1e-4
    torch.testing.assert_close(one, many, rtol=1e-3, atol=1e-7)


def test_the_gradient_is_clipped_to_the_norm_of_the_config(corpus, tmp_path):
    full = moments(corpus, tmp_path / "full", train__clip=1e9)
    clipped = moments(corpus, tmp_path / "clipped", train__clip=1e-2)
    torch.testing.assert_close(clipped, full * (1e-3 / full.norm()), rtol=1e-3, atol=1e-8)


def test_early_stopping(corpus, tmp_path):
    rates = {"train__lr_head": 0.0, "train__lr_adapter": 0.0}
    exp = train_here(corpus, tmp_path / "exp", train__epochs=50, train__patience=2, **rates)
    assert len(read_lines(exp)) == 3
    assert json.loads((exp / "best.json").read_text())["epoch"] == 1
    assert json.loads((exp / "summary.json").read_text())["epochs"] == 3


def test_what_cannot_be_learned_is_left_out_and_named(corpus, tmp_path):
    make_set(tmp_path, "train", 24)
    folder = tmp_path / "data" / "train"
    text = (folder / "text").read_text().replace("train-003 ", "train-003 " + 60 * "abcd")
    (folder / "text").write_text(text)
    lines = (folder / "utt2dur").read_text().splitlines()
    (folder / "utt2dur").write_text(
        "".join(f"{line.split()[0]} 30\n" if i in (4, 5) else f"{line}\n" for i, line in enumerate(lines))
    )
    given = {"task": "asr", "data__train": str(folder), "train__epochs": 1}
    with pytest.raises(SureError, match="with more tokens than frames: train-003. Correct .*=skip"):
        train_here(corpus, tmp_path / "stopped", **given)
    many = "4.2 % of the utterances cannot be targets, more than .*=1: 1 utterances .*: train-003"
    with pytest.raises(SureError, match=many):
        train_here(corpus, tmp_path / "many", **given, data__on_bad_utterance="skip", data__max_bad_percent=1.0)
    exp = train_here(corpus, tmp_path / "exp", **given, data__on_bad_utterance="skip")
    log = (exp / "train.log").read_text()
    assert "1 utterances with more tokens than frames: train-003" in log
    assert "2 utterances longer than data.max_seconds=20 s: train-004, train-005" in log
    assert "21 utterances" in log
    with pytest.raises(SureError, match="no utterance is left"):
        train_here(corpus, tmp_path / "none", data__train=str(folder), data__min_seconds=15.0)


WHISPER = {"name": "tiny", "weights": "random:whisper"}


def test_what_the_backbone_cannot_hear_is_left_out_or_named(corpus, tmp_path):
    make_set(tmp_path, "train", 24)
    durations = tmp_path / "data" / "train" / "utt2dur"
    first, rest = durations.read_text().split("\n", 1)
    durations.write_text(f"{first.split()[0]} 30.5\n{rest}")
    data = {"data__train": str(durations.parent), "data__max_seconds": 60.0, "backbone": WHISPER}
    exp = train_here(corpus, tmp_path / "exp", train__epochs=1, **data)
    heard = "1 utterances longer than the backbone's limit of 30 s: train-000"
    assert heard in (exp / "train.log").read_text()
    with pytest.raises(SureError, match=r"train-000: 30\.5 s .*, longer than the backbone's limit of 30 s; cut it"):
        train_here(corpus, tmp_path / "other", **{**data, "data__valid": data["data__train"]})


@pytest.mark.parametrize("changes", [{"train__accumulate": 2}, {"backbone": {**WHISPER, "padding": "as_trained"}}])
def test_speech_recognition_learns_too(corpus, tmp_path, changes):
    history = read_lines(train_here(corpus, tmp_path / "exp", task="asr", train__epochs=2, **changes))
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert "dev_wer" in history[0] and "dev_cer" in history[0]


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_audio_is_named(corpus, tmp_path, workers):
    make_set(tmp_path, "train", 6)
    soundfile.write(tmp_path / "wav" / "train4.wav", [0.0] * 100, 16000)
    (tmp_path / "wav" / "train4.wav").write_bytes((tmp_path / "wav" / "train4.wav").read_bytes()[:60])
    with pytest.raises(SureError) as error:
        train_here(corpus, tmp_path / "exp", data__train=str(tmp_path / "data" / "train"), train__workers=workers)
    assert str(error.value).startswith("utterance 'train-004': ") and "train4.wav" in str(error.value)


def test_one_training_a_folder(corpus, tmp_path):
    child = train_child(corpus, tmp_path / "exp", train__epochs=1000)
    try:
        wait_for(tmp_path / "exp" / "metrics.jsonl", child)
        with pytest.raises(SureError, match=f"process {child.process} on .* is training here"):
            train_here(corpus, tmp_path / "exp", train__epochs=1000)
    finally:
        kill(9, child)


def test_bad_settings_are_one_error(corpus, tmp_path, capsys):
    for changes, word in (
        ({"train__device": "cuda:99"}, "cuda:99"),
        ({"train__device": "abacus"}, "abacus"),
        ({"data__train": str(tmp_path / "nowhere")}, "nowhere"),
        ({"petl__sites": "layer.9.attn.q"}, "layer.9.attn.q"),
    ):
        with pytest.raises(SureError, match=word):
            train_here(corpus, tmp_path / "exp", **changes)
    with pytest.raises(SystemExit):
        train.main(["--exp", "x"])
    assert "--config" in capsys.readouterr().err


def test_half_precision_leaves_the_weights_whole(corpus, tmp_path):
    exp = train_here(corpus, tmp_path / "exp", train__epochs=2, train__precision="bf16")
    half, whole = read_lines(exp), read_lines(train_here(corpus, tmp_path / "whole", train__epochs=2))
    assert half[-1]["train_loss"] == pytest.approx(whole[-1]["train_loss"], rel=0.1)
    assert half[-1]["train_loss"] != whole[-1]["train_loss"]
    assert {tensor.dtype for tensor in weights(exp).values()} == {torch.float32}
