"""Training learns, writes its results, and refuses impossible settings."""

import json

import pytest
import torch
from safetensors.torch import load_file
from toys import read_lines, train_here

from sure.config import load_config
from sure.errors import SureError

EXACT = {"petl__dropout": 0.0, "head__dropout": 0.0, "train__epochs": 1}


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """A finished experiment, not to be changed."""
    exp = tmp_path_factory.mktemp("exp") / "seed1"
    return train_here(corpus, exp, train__epochs=12)


def weights(exp):
    return load_file(exp / "best.safetensors")


def read(exp, name):
    return json.loads((exp / name).read_text())


def test_it_learns(trained):
    history, best = read_lines(trained), read(trained, "best.json")
    assert [line["epoch"] for line in history] == list(range(1, 13))
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    assert best["score"] == max(line["dev_accuracy"] for line in history) >= 80
    assert best["score"] == history[best["epoch"] - 1]["dev_accuracy"]
    assert history[3].keys() >= {
        "step", "dev_loss", "lr_adapter", "lr_head", "seconds", "audio_seconds_per_second", "peak_memory_megabytes",
    }  # fmt: skip


def test_files_of_an_experiment(trained, corpus):
    labels = (corpus / "tokens_language" / "labels.json").read_bytes()
    assert (trained / "tokens" / "labels.json").read_bytes() == labels  # a copy of the results of stage 3
    for name in ("loss", "rate", "score"):
        assert (trained / "images" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert load_config(trained / "config.yaml").train.epochs == 12
    command = (trained / "command.txt").read_text().splitlines()[-1]
    assert command.startswith("python -m sure.bin.train --config ")
    assert "torch 2" in (trained / "environment.txt").read_text()
    summary, log = read(trained, "summary.json"), (trained / "train.log").read_text()
    trains = summary["trained_parameters"]
    assert trains == summary["adapter_parameters"] + summary["head_parameters"]
    assert f"{trains:,}" in log and f"{summary['head_parameters']:,}" in log
    assert summary["trained_percent"] == pytest.approx(100 * trains / summary["total_parameters"])
    stored = sum(tensor.nbytes for tensor in weights(trained).values())
    assert stored < summary["bundle_bytes"] < stored + 20_000
    assert summary["backbone_sha256"] == "random:moonshine_tiny:1"
    assert summary["epochs"] == 12 and summary["seed"] == 1
    assert summary["dev_score"] == read(trained, "best.json")["score"]
    assert summary["training_seconds"] > 0 and summary["peak_memory_megabytes"] > 100


def test_tensorboard_has_the_same_numbers(trained):
    from tensorboardX.proto.event_pb2 import Event

    (file,) = (trained / "tensorboard").iterdir()
    content, found = file.read_bytes(), {}
    while content:  # records of length, crc, event, crc
        size = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + size])
        found.update({(value.tag, event.step): value.simple_value for value in event.summary.value})
        content = content[16 + size :]
    for line in read_lines(trained):
        for name in ("train_loss", "dev_accuracy"):
            assert found[name, line["step"]] == pytest.approx(line[name])


def test_another_config_needs_another_folder(trained, corpus):
    with pytest.raises(SureError) as error:
        train_here(corpus, trained, train__epochs=12, petl__rank=3, seed=2)
    for word in ("petl.rank: was 2, is 3", "seed: was 1, is 2", "--restart", "--exp"):
        assert word in str(error.value)
    assert load_config(trained / "config.yaml").petl[0].rank == 2


def test_restart_begins_again_and_a_slurm_job_that_is_queued_again_restarts_once(corpus, tmp_path, monkeypatch):
    exp = train_here(corpus, tmp_path / "exp", train__epochs=1)
    first, times = (exp / "best.safetensors").read_bytes(), []
    for job, count in (("12", "0"), ("12", "1"), ("2", "1"), ("2", "2")):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        monkeypatch.setenv("SLURM_RESTART_COUNT", count)
        train_here(corpus, exp, "--restart", train__epochs=1, seed=2)
        times.append((exp / "summary.json").stat().st_mtime_ns)
    assert times[0] == times[1] < times[2] == times[3]
    assert load_config(exp / "config.yaml").seed == 2
    assert (exp / "best.safetensors").read_bytes() != first
    assert (exp / "train.log").read_text().count("deleted the training with another config (seed: was 1, is 2)") == 1


def moments(corpus, exp, **changes):
    """First moments of AdamW after one step on the whole training set: a tenth of the gradient."""
    train_here(corpus, exp, **{**EXACT, "train__batch_seconds": 1e3, "train__clip": 1e9, **changes})
    assert read_lines(exp)[0]["step"] == 1
    states = torch.load(exp / "checkpoints" / "last.pt", weights_only=True)["optimizer"]["state"]
    return torch.cat([states[key]["exp_avg"].flatten() for key in sorted(states)])


def test_a_step_follows_the_mean_gradient_of_its_batches_clipped_to_a_norm(corpus, tmp_path):
    full = moments(corpus, tmp_path / "full")
    assert full.abs().max() > 1e-4
    many = moments(corpus, tmp_path / "many", train__batch_seconds=2.0, train__accumulate=1000)
    torch.testing.assert_close(full, many, rtol=1e-3, atol=1e-7)
    clipped = moments(corpus, tmp_path / "clipped", train__clip=1e-2)
    torch.testing.assert_close(clipped, full * (1e-3 / full.norm()), rtol=1e-3, atol=1e-8)


def test_early_stopping(corpus, tmp_path):
    rates = {"train__lr_head": 0.0, "train__lr_adapter": 0.0}
    exp = train_here(corpus, tmp_path / "exp", train__epochs=50, train__patience=2, **rates)
    assert (len(read_lines(exp)), read(exp, "best.json")["epoch"], read(exp, "summary.json")["epochs"]) == (3, 1, 3)


@pytest.mark.parametrize(
    ("key", "value"), [("train__device", "cuda:99"), ("data__train", "nowhere"), ("petl__sites", "layer.9.*")]
)
def test_a_bad_setting_is_one_error(corpus, tmp_path, key, value):
    with pytest.raises(SureError, match=value):
        train_here(corpus, tmp_path / "exp", **{key: value})


def test_half_precision_leaves_the_weights_whole(corpus, tmp_path):
    exps = [train_here(corpus, tmp_path / name, train__epochs=2, train__precision=name) for name in ("bf16", "fp32")]
    half, whole = (read_lines(exp)[-1]["train_loss"] for exp in exps)
    assert half == pytest.approx(whole, rel=0.1) and half != whole
    assert {tensor.dtype for tensor in weights(exps[0]).values()} == {torch.float32}
