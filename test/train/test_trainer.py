"""Training learns, writes its results, refuses impossible settings, and names what spoils it."""

import json
import struct

import pytest
import torch
from safetensors.torch import load_file
from toys import make_corpus, read_lines, settings, train_here

from sure.backbones.layers import Linear
from sure.backbones.quantised import BFloat16, Quantised
from sure.config import load_config, make_config
from sure.errors import SureError
from sure.models.build import build_model, build_task
from sure.models.experiment import Experiment
from sure.train.build import Training
from sure.train.checks import LossMonitor, StepLosses, check_gradients
from sure.train.curves import History
from sure.train.distributed import ALONE
from sure.train.optimizer import make_optimizer, rate_factor

EXACT = {"petl__dropout": 0.0, "head__dropout": 0.0, "train__epochs": 1}
PLOT = History._plot  # other tests do without (conftest.py)


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """A finished experiment, not to be changed."""
    exp = tmp_path_factory.mktemp("exp") / "seed1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(History, "_plot", PLOT)
        return train_here(corpus, exp, train__epochs=12, train__lr_head=6e-3)


def read(exp, name):
    return json.loads((exp / name).read_text())


def test_it_learns(trained):
    history, best = read_lines(trained), read(trained, "best.json")
    assert [line["epoch"] for line in history] == list(range(1, 13))
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    assert best["score"] == max(line["dev_accuracy"] for line in history) >= 80
    assert best["score"] == history[best["epoch"] - 1]["dev_accuracy"]
    (tensorboard,) = (trained / "tensorboard").iterdir()
    for line in history:
        assert line["lr_head"] == pytest.approx(2 * line["lr_adapter"])
        assert line["step"] and line["audio_seconds_per_second"] > 0 and line["peak_memory_megabytes"] > 0
        for name in ("train_loss", "dev_accuracy"):  # 15: the field of a value
            assert name.encode() + b"\x15" + struct.pack("<f", line[name]) in tensorboard.read_bytes()


def test_files_of_an_experiment(trained, corpus):
    labels = (corpus / "tokens_language" / "labels.json").read_bytes()
    assert (trained / "tokens" / "labels.json").read_bytes() == labels  # a copy of the results of stage 3
    for name in ("loss", "rate", "score"):
        assert (trained / "images" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert load_config(trained / "config.yaml").train.epochs == 12
    assert (trained / "command.txt").read_text().splitlines()[-1].startswith("python -m sure.bin.train --config ")
    assert "torch 2" in (trained / "environment.txt").read_text()
    summary, log = read(trained, "summary.json"), (trained / "train.log").read_text()
    trains = summary["trained_parameters"]
    assert trains == summary["adapter_parameters"] + summary["head_parameters"]
    assert f"{trains:,}" in log and f"{summary['head_parameters']:,}" in log
    assert summary["trained_percent"] == pytest.approx(100 * trains / summary["total_parameters"])
    stored = sum(tensor.nbytes for tensor in load_file(trained / "best.safetensors").values())
    assert stored < summary["bundle_bytes"] < stored + 20_000
    expected = {"backbone_sha256": "random:moonshine_tiny:1", "epochs": 12, "seed": 1}
    assert expected.items() <= summary.items() and summary["dev_score"] == read(trained, "best.json")["score"]
    assert summary["training_seconds"] > 0 and summary["peak_memory_megabytes"] > 100


def test_another_config_needs_another_folder(trained, corpus):
    with pytest.raises(SureError) as error:
        train_here(corpus, trained, train__epochs=12, petl__rank=3, seed=2)
    for word in ("petl.rank: was 2, is 3", "seed: was 1, is 2", "--restart", "--exp"):
        assert word in str(error.value)
    assert load_config(trained / "config.yaml").petl[0].rank == 2


def test_a_config_of_an_earlier_version_lacks_keys_that_have_their_defaults(trained, corpus):
    config = trained / "config.yaml"
    config.write_text(earlier := config.read_text().replace("  score: accuracy\n", ""))
    train_here(corpus, trained, train__epochs=12, train__lr_head=6e-3)
    assert config.read_text() == earlier and "  score:" not in earlier
    with pytest.raises(SureError, match=r"head.score: was None, is macro_f1\."):
        train_here(corpus, trained, train__epochs=12, train__lr_head=6e-3, head__score="macro_f1")


def test_the_score_of_the_config_selects_the_epoch(corpus, tmp_path):
    exp = train_here(corpus, tmp_path / "exp", train__epochs=3, head__score="weighted_f1")
    assert read(exp, "best.json")["score_name"] == "weighted_f1"
    assert read(exp, "summary.json")["dev_score"] == max(line["dev_weighted_f1"] for line in read_lines(exp))


def test_a_label_of_dev_that_the_training_set_lacks_counts_as_wrong(trained, tmp_path):
    corpus = make_corpus(tmp_path)
    labels = corpus / "data" / "dev" / "utt2label"
    labels.write_text("".join(f"{line.split()[0]} other\n" for line in labels.read_text().splitlines()))
    (line,) = read_lines(exp := train_here(corpus, tmp_path / "exp", train__epochs=1))
    assert line["dev_accuracy"] == 0 and line["dev_loss"] == 0
    before, after = (read(folder, "summary.json") for folder in (trained, exp))
    assert before["training_set_sha256"] == after["training_set_sha256"]
    assert before["dev_set_sha256"] != after["dev_set_sha256"]


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


WHOLE = {"train__batch_seconds": 1e3, "train__accumulate": 1000}  # one step for the training set


def moments(corpus, exp, **changes):
    """First moments of AdamW after one step on the whole training set: a tenth of the gradient."""
    train_here(corpus, exp, **{**EXACT, **WHOLE, "train__clip": 1e9, **changes})
    assert read_lines(exp)[0]["step"] == 1
    states = torch.load(exp / "checkpoints" / "last.pt", weights_only=True)["optimizer"]["state"]
    return torch.cat([states[key]["exp_avg"].flatten() for key in sorted(states)])


def test_a_step_follows_the_mean_gradient_of_its_batches_clipped_to_a_norm(corpus, tmp_path):
    full = moments(corpus, tmp_path / "full")
    assert full.abs().max() > 1e-4
    many = moments(corpus, tmp_path / "many", train__batch_seconds=1.0)
    torch.testing.assert_close(full, many, rtol=1e-3, atol=1e-7)
    clipped = moments(corpus, tmp_path / "clipped", train__clip=1e-2)
    torch.testing.assert_close(clipped, full * (1e-3 / full.norm()), rtol=1e-3, atol=1e-8)


def test_half_precision_leaves_the_weights_whole(corpus, tmp_path):
    exps = [train_here(corpus, tmp_path / name, train__epochs=2, train__precision=name) for name in ("bf16", "fp32")]
    half, whole = (read_lines(exp)[-1]["train_loss"] for exp in exps)
    assert half == pytest.approx(whole, rel=0.1) and half != whole
    assert {tensor.dtype for tensor in load_file(exps[0] / "best.safetensors").values()} == {torch.float32}


@pytest.mark.parametrize(("precision", "formats"), [("bf16", {BFloat16}), ("fp32", set())])
def test_bf16_training_stores_frozen_maps_once(corpus, tmp_path, precision, formats):
    exp = train_here(corpus, tmp_path / "exp", train__epochs=1)
    config = load_config(exp / "config.yaml", [f"train.precision={precision}"])
    training = Training(config, Experiment(tmp_path / "other"), None, ALONE)
    modules = list(training.model.backbone.layers.modules())
    assert {type(module) for module in modules if isinstance(module, Quantised)} == formats
    assert all((module.weight is None) == bool(formats) for module in modules if type(module) is Linear)


def step(place: str, *losses: float, norm: float = 1.0) -> StepLosses:
    ids = [f"{place}-{index}" for index in range(len(losses))]
    return StepLosses(place, ids, [torch.tensor(losses[:1]), torch.tensor(losses[1:])], torch.tensor(norm))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (step("here", 1.0, float("nan")), ["here-1 nan, here-0 1", "loss is nan"]),
        (step("here", 9.0, 14.0), ["loss is 11.5", "here-1 14, here-0 9", "train.explode=10"]),
        (step("here", 1.0, 2.0, norm=float("nan")), ["norm nan"]),
    ],
)
def test_the_first_bad_step_is_named(bad, words):
    monitor = LossMonitor(10.0, 3)
    monitor.add(step("before", 1, 2))
    monitor.add(bad)
    with pytest.raises(SureError, match="here") as error:
        monitor.add(step("after", float("nan")))
    assert all(word in str(error.value) for word in words)
    assert "before" not in str(error.value) and "after" not in str(error.value)


def test_a_tensor_without_a_gradient_is_named():
    with_gradient, without = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2))
    with_gradient.grad = torch.zeros(2)
    check_gradients({"head/bias": with_gradient})
    with pytest.raises(SureError, match=r"1 trained tensors .*layer\.1\.attn\.q/lora/a"):
        check_gradients({"head/bias": with_gradient, "layer.1.attn.q/lora/a": without})


EXPLODING = {"train__lr_head": 1e6, "train__clip": 1e9, "train__epochs": 5, "train__warmup": 1.0}
RUINED = {**WHOLE, "train__lr_head": 1e38, "train__epochs": 1}  # by its only step


@pytest.mark.parametrize(
    ("changes", "message", "absent"),
    [
        (EXPLODING, "^epoch .*train-0", ["summary.json"]),
        (RUINED, "^epoch 1: the dev loss is nan", ["summary.json", "best.safetensors"]),
    ],
)
def test_a_bad_loss_ends_training(corpus, tmp_path, changes, message, absent):
    exp = tmp_path / "exp"
    with pytest.raises(SureError, match=message) as error:
        train_here(corpus, exp, **changes)
    assert str(error.value) in (exp / "train.log").read_text()
    assert not any((exp / name).exists() for name in absent)


def test_schedule_by_hand():
    factor = rate_factor(0.2, 0.3, 10)
    assert [factor(step) for step in range(11)] == [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0]
    assert [rate_factor(0.0, 0.0, 4)(step) for step in range(5)] == [1, 0.75, 0.5, 0.25, 0]
    with pytest.raises(SureError, match="train.warmup=0.7 and train.hold=0.6"):
        rate_factor(0.7, 0.6, 10)


def test_rates_by_method_layer_and_tensor(corpus):
    """Tiny backbones have 3 layers; the front end counts as the layer below all others."""
    lora = {"name": "lora", "sites": "layer.*.attn.q", "lr": 4e-3, "layer_decay": 0.5, "b_rate": 16}
    bottleneck = {"name": "bottleneck", "sites": "conv.* layer.2.after_ffn", "layer_decay": 0.5}
    config = make_config(settings(corpus, petl=[lora, bottleneck, {"name": "weighted_sum"}]), "test")
    model = build_model(config, build_task(config))
    groups = make_optimizer(model, 1e-3, 5e-3, 0.0).param_groups
    assert len({group["name"] for group in groups}) == len(groups)
    by_tensor = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    named = {**model.parameter_groups()["adapter"], **model.parameter_groups()["head"]}
    found = {name: by_tensor.pop(id(parameter)) for name, parameter in named.items()}
    assert not by_tensor
    for layer, rate in enumerate([1e-3, 2e-3, 4e-3]):
        assert found[f"layer.{layer}.attn.q/lora/a"] == pytest.approx(rate)
        assert found[f"layer.{layer}.attn.q/lora/b"] == pytest.approx(16 * rate)
    assert found["conv.0/bottleneck/up.bias"] == pytest.approx(1e-3 / 8)
    assert found["layer.2.after_ffn/bottleneck/up.bias"] == found["readout/weighted_sum/weights"] == 1e-3
    assert {rate for name, rate in found.items() if name.startswith("head/")} == {5e-3}
