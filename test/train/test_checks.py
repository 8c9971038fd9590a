"""A training that fails names the utterances, and a trained tensor without a gradient is an error."""

import pytest
import torch
from toys import train_here

from sure.errors import SureError
from sure.train.checks import LossMonitor, StepLosses, check_gradients


def step(place: str, *losses: float, norm: float = 1.0) -> StepLosses:
    ids = [f"{place}-{index}" for index in range(len(losses))]
    return StepLosses(place, ids, [torch.tensor(losses[:1]), torch.tensor(losses[1:])], torch.tensor(norm))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (step("here", 1.0, float("nan")), ["here-1 nan, here-0 1", "loss is nan"]),
        (step("here", 1.0, float("inf")), ["here-1 inf, here-0 1"]),
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
RUINED = {"train__lr_head": float("inf"), "train__epochs": 1, "train__batch_seconds": 1000.0}  # by its only step


@pytest.mark.parametrize(
    ("changes", "message", "absent"),
    [
        (EXPLODING, "^epoch .*train-0", ["summary.json"]),
        (RUINED, "^epoch 1: the dev loss is nan", ["summary.json", "best.safetensors"]),
    ],
    ids=["an exploding loss", "a last step that ruins the weights"],
)
def test_a_bad_loss_ends_training(corpus, tmp_path, changes, message, absent):
    exp = tmp_path / "exp"
    with pytest.raises(SureError, match=message) as error:
        train_here(corpus, exp, **changes)
    assert str(error.value) in (exp / "train.log").read_text()
    assert not any((exp / name).exists() for name in absent)
