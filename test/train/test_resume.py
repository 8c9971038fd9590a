"""Killed at any moment and started again, training ends with the same weights, bit for bit."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import toys
from toys import Child, kill, read, train_arguments, train_child, train_here, wait_for

from sure.bin import train
from sure.errors import SureError

SETTINGS = {"train__epochs": 3, "train__save_minutes": 1e-9}  # a checkpoint after every step
VARIANTS = {
    "cached": SETTINGS,
    "augmented": {
        **SETTINGS,
        "task": "asr",
        "petl": {"name": "prefix", "length": 4, "reparametrise": True},
        "augment": {"speed": [0.9, 1.1], "time_masks": 1, "time_mask_frames": 4},
        "train__accumulate": 2,
    },
}
cached = pytest.mark.parametrize("undisturbed", ["cached"], indirect=True)


@pytest.fixture(scope="module", params=VARIANTS)
def undisturbed(request, corpus, tmp_path_factory):
    changes = VARIANTS[request.param]
    return changes, train_here(corpus, tmp_path_factory.mktemp("undisturbed") / "exp", **changes)


@pytest.fixture
def exp(tmp_path):
    return tmp_path / "exp"


def assert_ends_the_same(corpus, exp, undisturbed):
    changes, reference = undisturbed
    train_here(corpus, exp, **changes)
    toys.assert_same(exp, reference)


def stop_at(path, corpus, exp, changes, number=signal.SIGTERM):
    """Train in a child until `path` exists, and send it a signal, after which it saves."""
    child = train_child(corpus, exp, **changes)
    wait_for(path, child)
    assert kill(number, child) == [75], read(child.stderr)
    return child


def test_killed_again_and_again(corpus, exp, undisturbed):
    changes, reference = undisturbed
    generator = random.Random(len(changes))
    kills, resumed = 0, set()
    while True:
        child = train_child(corpus, exp, **changes)
        wait_for_checkpoints(child, exp, generator.randint(0, 8))
        time.sleep(generator.uniform(0.0, 0.05))
        (status,) = kill(signal.SIGKILL, child)
        resumed.update(line for line in read(child.stderr).splitlines() if line.startswith("resuming at"))
        if status == 0:
            break
        assert status == -signal.SIGKILL, read(child.stderr)
        kills += 1
    assert kills >= 3 and len(resumed) >= 2
    toys.assert_same(exp, reference)


def wait_for_checkpoints(child, exp, count):
    """Until `last.pt` was written `count` times, or the child has ended."""
    last, written = exp / "checkpoints" / "last.pt", []
    while len(written) <= count and not child.ended():
        time_written = last.stat().st_mtime_ns if last.exists() else 0
        if time_written not in written:
            written.append(time_written)
        time.sleep(0.001)


@cached
def test_asked_to_stop_it_does_not_fill_the_cache_first(corpus, exp, undisturbed):
    changes, _ = undisturbed
    child = train_child(corpus, exp, **changes)
    wait_for(lambda: "\nfrozen " in read(child.stderr), child)  # the table of trained parameters
    assert kill(signal.SIGTERM, child) == [75]
    assert "prefix cache of the dev set" not in read(child.stderr)
    assert_ends_the_same(corpus, exp, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_asked_before_anything_is_imported_it_exits_with_75(tmp_path, number):
    program = f"""
import builtins, os, runpy, sys
real = builtins.__import__
def signalled(name, *rest, **more):
    if name.startswith("torch"):  # its import is where the seconds go
        os.kill(os.getpid(), {int(number)})
    return real(name, *rest, **more)
builtins.__import__ = signalled
sys.argv = ["train", "--help"]
runpy.run_module("sure.bin.train", run_name="__main__")
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False).returncode == 75


@cached
def test_a_damaged_summary_is_written_again(corpus, exp, undisturbed):
    changes, reference = undisturbed
    shutil.copytree(reference, exp)
    (exp / "summary.json").write_text('{"score": ')
    train_here(corpus, exp, **changes)
    assert json.loads((exp / "summary.json").read_text())["epochs"] == 3
    toys.assert_same(exp, reference)


def test_asked_to_stop_it_saves_and_exits_with_75(corpus, exp, undisturbed):
    changes, reference = undisturbed
    number = signal.SIGTERM if changes is VARIANTS["cached"] else signal.SIGUSR1
    changes = {**changes, "train__save_minutes": 60.0}
    child = train_child(corpus, exp, **changes)
    wait_for(lambda: "prefix cache of the dev set" in read(child.stderr), child)
    assert kill(number, child) == [75]
    assert f"{number.name}: saved; run the same command again" in read(child.stderr)
    assert not (exp / "summary.json").exists()
    assert_ends_the_same(corpus, exp, (changes, reference))


@pytest.mark.parametrize("undisturbed", ["augmented"], indirect=True)
def test_asked_with_all_that_it_started(corpus, tmp_path, exp, undisturbed):
    """Slurm's scancel and time limit send SIGTERM to every process of a job: the workers, too, are to go on."""
    changes, reference = undisturbed
    changes = {**changes, "train__workers": 2, "train__save_minutes": 60.0}
    arguments = train_arguments(corpus, exp, **changes)
    child = Child(lambda: (os.setpgid(0, 0), train.main(arguments)), tmp_path / "stderr")
    wait_for(lambda: read(exp / "metrics.jsonl"), child)  # workers have been running since epoch 1
    os.killpg(child.process, signal.SIGTERM)
    assert child.status() == 75, read(child.stderr)
    assert_ends_the_same(corpus, exp, (changes, reference))


@cached
def test_a_damaged_checkpoint_is_replaced_by_the_one_before(corpus, exp, undisturbed):
    changes, reference = undisturbed
    stop_at(exp / "checkpoints" / "previous.pt", corpus, exp, changes)
    last = exp / "checkpoints" / "last.pt"
    content = bytearray(last.read_bytes())
    content[len(content) // 3] ^= 4
    last.write_bytes(content)
    train_here(corpus, exp, **changes)
    assert "last.pt is damaged" in (exp / "train.log").read_text()
    toys.assert_same(exp, reference)


@cached
def test_a_full_disk_stops_training_and_loses_nothing(corpus, tmp_path, exp, undisturbed):
    changes, _ = undisturbed
    last = exp / "checkpoints" / "last.pt"
    stop_at(last, corpus, exp, changes)
    limit = last.stat().st_size // 2
    arguments = train_arguments(corpus, exp, **changes)

    def without_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        train.main(arguments)

    child = Child(without_room, tmp_path / "stderr")
    assert child.status() == 2
    message = child.stderr.read_text().splitlines()[-1]
    assert message.startswith("error: cannot write ") and "File too large" in message
    assert "run the same command again" in message
    assert not list(exp.rglob("*.partial"))
    assert_ends_the_same(corpus, exp, undisturbed)


def test_other_data_than_before_is_refused(corpus, tmp_path, exp):
    toys.make_set(tmp_path, "train", 12)
    changes = {**SETTINGS, "data__train": str(tmp_path / "data" / "train")}
    stop_at(exp / "checkpoints" / "last.pt", corpus, exp, changes)
    toys.make_set(tmp_path, "train", 13)
    with pytest.raises(SureError, match="the training set has changed since"):
        train_here(corpus, exp, **changes)
    toys.make_set(tmp_path, "train", 12)
    train_here(corpus, exp, **changes)


def equal(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_a_checkpoint_of_an_earlier_version_is_resumed(corpus, tmp_path, exp):
    """Written by commit c080453 in the second of three epochs, when saved names were `site/method_tensor`."""
    lora = {"name": "lora", "rank": 2, "dropout": 0.1, "init": "pissa", "sites": "layer.2.attn.q"}
    bottleneck = {"name": "bottleneck", "width": 2, "sites": "layer.2.after_ffn"}
    changes = {"task": "asr", "petl": [lora, bottleneck]}
    shutil.copytree(corpus / "tokens_asr", exp / "tokens")
    (exp / "checkpoints").mkdir()
    last = exp / "checkpoints" / "last.pt"
    shutil.copy(Path(__file__).with_name("checkpoint_c080453.pt"), last)
    old = torch.load(last, weights_only=True)
    toys.build_here(corpus, exp, **changes).save()
    new = torch.load(last, weights_only=True)
    assert "layer.2.attn.q/lora/a" in new["weights"] and "layer.2.attn.q/lora_a" in old["weights"]
    for state in (old, new):
        del state["state"]["training_seconds"]
        for part in ("weights", "best_weights"):
            state[part] = {name.replace("/", "_"): tensor for name, tensor in state[part].items()}
    assert equal(new, old)
    train_here(corpus, exp, **changes)
    reference = train_here(corpus, tmp_path / "reference", **changes)
    losses, expected = (
        [json.loads(line)["train_loss"] for line in (e / "metrics.jsonl").open()] for e in (exp, reference)
    )
    assert losses == pytest.approx(expected, rel=1e-3)  # the checkpoint was computed on another machine
