"""Killed at any moment and started again, training ends with the same weights, bit for bit."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest
from toys import Child, assert_same, make_set, read, train_arguments, train_child, train_here

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


@pytest.fixture(scope="module", params=VARIANTS)
def undisturbed(request, corpus, tmp_path_factory):
    changes = VARIANTS[request.param]
    return changes, train_here(corpus, tmp_path_factory.mktemp("undisturbed") / "exp", **changes)


def test_killed_again_and_again(corpus, tmp_path, undisturbed):
    changes, reference = undisturbed
    generator = random.Random(len(changes))
    exp, kills, resumed = tmp_path / "exp", 0, set()
    while True:
        child = train_child(corpus, exp, **changes)
        wait_for_checkpoints(child, exp, generator.randint(0, 8))
        time.sleep(generator.uniform(0.0, 0.05))
        child.kill(signal.SIGKILL)
        status = child.status()
        resumed.update(line for line in read(child.stderr).splitlines() if line.startswith("resuming at"))
        if status == 0:
            break
        assert status == -signal.SIGKILL, read(child.stderr)
        kills += 1
    assert kills >= 3 and len(resumed) >= 2
    assert_same(exp, reference)


def wait_for_checkpoints(child, exp, count):
    """Until `last.pt` was written `count` times, or the child has ended."""
    last, seen = exp / "checkpoints" / "last.pt", set()
    with contextlib.suppress(FileNotFoundError):
        seen.add(last.stat().st_mtime_ns)
    before = len(seen)
    while len(seen) < before + count and not child.ended():
        with contextlib.suppress(FileNotFoundError):
            seen.add(last.stat().st_mtime_ns)
        time.sleep(0.001)


@pytest.mark.parametrize("undisturbed", ["cached"], indirect=True)
def test_asked_to_stop_it_does_not_fill_the_cache_first(corpus, tmp_path, undisturbed):
    changes, reference = undisturbed
    child = train_child(corpus, tmp_path / "exp", **changes)
    while "\nfrozen " not in read(child.stderr):  # the table of what trains
        assert not child.ended(), read(child.stderr)
        time.sleep(0.002)
    child.kill(signal.SIGTERM)
    assert child.status() == 75
    assert "prefix cache of the dev set" not in read(child.stderr)
    train_here(corpus, tmp_path / "exp", **changes)
    assert_same(tmp_path / "exp", reference)


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


def test_a_torn_summary_is_no_end(corpus, tmp_path, undisturbed):
    changes, reference = undisturbed
    train_here(corpus, tmp_path / "exp", **changes)
    (tmp_path / "exp" / "summary.json").write_text('{"score": ')
    train_here(corpus, tmp_path / "exp", **changes)
    assert json.loads((tmp_path / "exp" / "summary.json").read_text())["epochs"] == 3
    assert_same(tmp_path / "exp", reference)


def test_asked_to_stop_it_saves_and_exits_with_75(corpus, tmp_path, undisturbed):
    changes, reference = undisturbed
    number = signal.SIGTERM if changes is VARIANTS["cached"] else signal.SIGUSR1
    changes = {**changes, "train__save_minutes": 60.0}
    child = train_child(corpus, tmp_path / "exp", **changes)
    while "prefix cache of the dev set" not in read(child.stderr):
        assert not child.ended(), read(child.stderr)
        time.sleep(0.002)
    child.kill(number)
    assert child.status() == 75
    assert f"{number.name}: saved; run the same command again" in read(child.stderr)
    assert not (tmp_path / "exp" / "summary.json").exists()
    train_here(corpus, tmp_path / "exp", **changes)
    assert_same(tmp_path / "exp", reference)


@pytest.mark.parametrize("undisturbed", ["augmented"], indirect=True)
def test_asked_with_all_that_it_started(corpus, tmp_path, undisturbed):
    """Slurm's scancel and time limit send SIGTERM to every process of a job: the workers, too, are to go on."""
    changes, reference = undisturbed
    exp, changes = tmp_path / "exp", {**changes, "train__workers": 2, "train__save_minutes": 60.0}
    arguments = train_arguments(corpus, exp, **changes)
    child = Child(lambda: (os.setpgid(0, 0), train.main(arguments)), tmp_path / "stderr")
    while not (exp / "metrics.jsonl").exists() or not (exp / "metrics.jsonl").read_text():  # they work since epoch 1
        assert not child.ended(), read(child.stderr)
        time.sleep(0.002)
    os.killpg(child.process, signal.SIGTERM)
    assert child.status() == 75, read(child.stderr)
    train_here(corpus, exp, **changes)
    assert_same(exp, reference)


@pytest.mark.parametrize("undisturbed", ["cached"], indirect=True)
def test_a_damaged_checkpoint_is_replaced_by_the_one_before(corpus, tmp_path, undisturbed):
    changes, reference = undisturbed
    last = tmp_path / "exp" / "checkpoints" / "last.pt"
    stop_after_checkpoint(corpus, tmp_path / "exp", changes, "previous.pt")
    content = bytearray(last.read_bytes())
    content[len(content) // 3] ^= 4
    last.write_bytes(content)
    train_here(corpus, tmp_path / "exp", **changes)
    assert "last.pt is damaged" in (tmp_path / "exp" / "train.log").read_text()
    assert_same(tmp_path / "exp", reference)


@pytest.mark.parametrize("undisturbed", ["cached"], indirect=True)
def test_a_full_disk_stops_training_and_loses_nothing(corpus, tmp_path, undisturbed):
    changes, reference = undisturbed
    exp = tmp_path / "exp"
    stop_after_checkpoint(corpus, exp, changes, "last.pt")
    limit = (exp / "checkpoints" / "last.pt").stat().st_size // 2
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
    train_here(corpus, exp, **changes)
    assert_same(exp, reference)


def stop_after_checkpoint(corpus, exp, changes, name):
    child = train_child(corpus, exp, **changes)
    while not (exp / "checkpoints" / name).exists():
        assert not child.ended(), read(child.stderr)
        time.sleep(0.002)
    child.kill(signal.SIGTERM)
    assert child.status() == 75


def test_other_data_than_before_is_refused(corpus, tmp_path):
    make_set(tmp_path, "train", 12)
    changes = {**SETTINGS, "data__train": str(tmp_path / "data" / "train")}
    stop_after_checkpoint(corpus, tmp_path / "exp", changes, "last.pt")
    make_set(tmp_path, "train", 13)
    with pytest.raises(SureError, match="the training set has changed since"):
        train_here(corpus, tmp_path / "exp", **changes)
    make_set(tmp_path, "train", 12)
    train_here(corpus, tmp_path / "exp", **changes)
