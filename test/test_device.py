"""Guarantees on a GPU. Skipped without a GPU; SURE_TEST_DEVICE=cpu runs the same code on the CPU."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import models
import pytest
import torch
import toys
from models import LENGTHS, METHODS, waves
from torch.nn.attention import SDPBackend, sdpa_kernel

from sure import forks
from sure.data.collate import Batch
from sure.tasks import repeatable_ctc
from sure.train.optimizer import make_optimizer

DEVICE = os.environ.get("SURE_TEST_DEVICE") or ("cuda" if torch.cuda.is_available() else "")
STEPS = 20  # the losses are read once in so many steps

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not DEVICE, reason="needs a GPU, or SURE_TEST_DEVICE=cpu")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("device")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return toys.make_corpus(tmp_path_factory.mktemp("tones"))


def batch_of(model, task):
    """The utterances of the contract tests in memory from which copies need not wait."""
    batch = Batch([], waves(), LENGTHS, [model.task.target(one) for one in models.utterances(task)])
    return batch.pin_memory() if DEVICE.startswith("cuda") else batch


def losses_and_gradients(model, task):
    losses = model(batch_of(model, task).to(next(model.parameters()).device))
    losses.sum().backward()
    groups = model.parameter_groups().values()
    gradients = {name: each.grad.cpu() for group in groups for name, each in group.items() if each.grad is not None}
    return losses.detach().cpu(), gradients


@pytest.mark.parametrize("family", models.FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_losses_and_gradients_are_those_of_the_cpu(folder, method, family):
    """In float32; for CTC, whose loss on a GPU is our own."""
    expected = losses_and_gradients(models.make(folder, method, family, "asr").eval(), "asr")
    found = losses_and_gradients(models.make(folder, method, family, "asr").eval().to(DEVICE), "asr")
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("family", models.FAMILIES)
def test_padding_changes_nothing(folder, family):
    model = models.make(folder, "lora", family, "asr").eval()
    models.disturb(model)
    model.to(DEVICE)
    with torch.no_grad():
        encoded = model.encode(waves().to(DEVICE), LENGTHS)
        together = encoded.frames.split(model.outputs(encoded))
        for index, length in enumerate(LENGTHS):
            alone = model.outputs(model.encode(waves()[index : index + 1, :length].to(DEVICE), length[None]))
            torch.testing.assert_close(together[index], alone[0], rtol=1e-4, atol=1e-4)


@contextmanager
def no_waits():
    """On a GPU, an error where the program waits for it; PyTorch's CTC copies lengths, which is the only exception."""
    if not DEVICE.startswith("cuda"):
        yield
        return
    real = torch._ctc_loss

    def waiting(*arguments):
        torch.cuda.set_sync_debug_mode("default")
        try:
            return real(*arguments)
        finally:
            torch.cuda.set_sync_debug_mode("error")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeatable_ctc.torch, "_ctc_loss", waiting)
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("task", ["asr", "language", "verification"])
@pytest.mark.parametrize("method", ["lora", "conv_adapter", "prefix"])
def test_no_step_waits_for_the_gpu(folder, task, method):
    model = models.make(folder, method, "wav2vec2", task).train().to(DEVICE)
    optimizer, batch = make_optimizer(model, 1e-3, 1e-3, 0.0), batch_of(model, task)
    parameters = [each for group in optimizer.param_groups for each in group["params"]]

    def step():
        with torch.autocast(torch.device(DEVICE).type, torch.bfloat16):
            losses = model(batch.to(DEVICE, non_blocking=True))
        losses.sum().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return losses.detach()

    step()  # libraries and kernels are loaded in the first one
    with no_waits():
        losses = [step() for _ in range(STEPS)]
    assert torch.stack(losses).isfinite().all()


@pytest.mark.parametrize("lengths", [LENGTHS, LENGTHS.max().repeat(len(LENGTHS))], ids=["padded", "full"])
def test_attention_has_a_fast_kernel_in_bf16(folder, lengths):
    """An error if neither of SDPA's fast kernels takes the shapes and the mask."""
    model = models.make(folder, "lora", "wav2vec2", "asr").train().to(DEVICE)
    fast = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    with sdpa_kernel(fast), torch.autocast(torch.device(DEVICE).type, torch.bfloat16):
        model.encode(waves().to(DEVICE), lengths).last.float().square().mean().backward()


def start(corpus, exp, *options, client=(), **changes):
    """A training in a process of its own. client: words of Python for a fork."""
    arguments = toys.train_arguments(corpus, exp, train__device=DEVICE, **changes)
    return subprocess.Popen([sys.executable, *client, "-m", "sure.bin.train", *arguments, *options])


@pytest.mark.parametrize("task", ["asr", "language"])
def test_a_training_that_was_killed_ends_in_a_fork_with_the_same_weights(corpus, tmp_path, task):
    """The process that is forked must not have used the GPU (sure/forks/server.py)."""
    changes = {"task": task, "train__save_minutes": 1e-9, "train__epochs": 5, "head__dropout": 0.1}
    assert start(corpus, tmp_path / "whole", **changes).wait() == 0
    training = start(corpus, tmp_path / "exp", **changes)
    while training.poll() is None and not (tmp_path / "exp/checkpoints/last.pt").exists():
        time.sleep(0.01)
    training.kill()
    assert training.wait() == -signal.SIGKILL
    client = ("-S", Path(forks.__file__).with_name("client.py"), tmp_path, str(os.getpid()))
    assert start(corpus, tmp_path / "exp", client=client, **changes).wait() == 0
    assert any(path.is_socket() for path in tmp_path.iterdir())
    assert "resuming at" in toys.read(tmp_path / "exp/train.log")
    toys.assert_same(tmp_path / "exp", tmp_path / "whole")


@pytest.mark.skipif(DEVICE == "cuda" and torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_processes_train_one_model(corpus, tmp_path):
    assert start(corpus, tmp_path / "exp", "--processes", "2", task="asr").wait() == 0
    assert len(toys.read_lines(tmp_path / "exp")) == 3
