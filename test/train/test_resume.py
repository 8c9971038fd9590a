"""Killed at any moment and started again, training ends with the same weights, bit for bit."""

import functools
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest
import toys
from toys import children, kill, read, train_child, train_here, wait_for, written

from sure.errors import SureError

AUGMENTED = {
    "task": "asr",
    "petl": {"name": "prefix", "length": 4, "reparametrise": True},
    "augment": {"speed": [0.9, 1.1], "time_masks": 1, "time_mask_frames": 4},
    "train__accumulate": 2,
}
STORM = {**AUGMENTED, "head__dropout": 0.2, "train__batch_seconds": 2.0, "train__epochs": 20, "train__patience": 6}
VARIANTS = {
    "cached": {},
    "augmented": AUGMENTED,
    "storm with workers": {**STORM, "train__workers": 2},
    "storm of two processes": {**STORM, "count": 2},
}
cached = pytest.mark.parametrize("undisturbed", ["cached"], indirect=True)


def start(corpus, exp, count=1, **changes):
    return children(corpus, exp, count, **changes) if count > 1 else [train_child(corpus, exp, **changes)]


@pytest.fixture(scope="module")
def references(corpus, tmp_path_factory):
    """A cached function: settings, with a checkpoint after every step, and a training with them that nothing stops."""

    @functools.cache
    def reference(name):
        changes, exp = {**VARIANTS[name], "train__save_minutes": 1e-9}, tmp_path_factory.mktemp("exp") / "exp"
        trainers = start(corpus, exp, **changes)
        assert all(child.status() == 0 for child in trainers), [read(child.stderr) for child in trainers]
        return changes, exp

    return reference


@pytest.fixture
def undisturbed(request, references):
    return references(request.param)


@pytest.fixture
def exp(tmp_path):
    return tmp_path / "exp"


def assert_ends_the_same(corpus, exp, undisturbed):
    changes, reference = undisturbed
    train_here(corpus, exp, **changes)
    toys.assert_same(exp, reference)


def stop_after_the_first_checkpoint(corpus, exp, changes):
    child = train_child(corpus, exp, **changes)
    wait_for(exp / "checkpoints" / "last.pt", child)
    assert kill(signal.SIGTERM, child) == [75], read(child.stderr)


def strike(trainers, folder, generator, in_write):
    """Kill one trainer after the next few checkpoints, or inside a write. False if training has ended before."""
    last, partial = folder / "last.pt", folder / "next.pt.partial"
    for _ in range(generator.randint(1, 3)):
        before = written(last)
        while written(last) == before and not trainers[0].ended():
            time.sleep(0.001)
    while in_write and not partial.exists() and not trainers[0].ended():
        pass
    time.sleep(generator.uniform(0.0, 0.002 if in_write else 0.1))
    if trainers[0].ended():
        assert all(child.status() == 0 for child in trainers), [read(child.stderr) for child in trainers]
        return False
    generator.choice(trainers).kill(signal.SIGKILL)
    return [child.status() for child in trainers]


@pytest.mark.parametrize(
    ("undisturbed", "least"),
    [
        ("cached", 3),
        ("augmented", 3),
        pytest.param("storm with workers", 25, marks=pytest.mark.slow),
        pytest.param("storm of two processes", 25, marks=pytest.mark.slow),
    ],
    indirect=["undisturbed"],
)
def test_killed_again_and_again(corpus, exp, undisturbed, least):
    """Every other kill hits a checkpoint that is half written."""
    changes, reference = undisturbed
    generator, kills = random.Random(1), 0
    while strike(start(corpus, exp, **changes), exp / "checkpoints", generator, kills % 2 == 1):
        kills += 1
    resumed = {line for line in read(exp / "train.log").splitlines() if "resuming at" in line}
    assert kills >= least and len(resumed) > least / 2
    toys.assert_same(exp, reference)


TABLE, PLANNED = "\nfrozen ", "prefix cache of the dev set"  # in the log: the trained parameters; before the first step


@pytest.mark.parametrize(
    ("undisturbed", "moment", "number", "workers"),
    [
        ("cached", lambda exp, log: TABLE in log, signal.SIGTERM, 0),
        ("cached", lambda exp, log: PLANNED in log, signal.SIGTERM, 0),
        ("augmented", lambda exp, log: PLANNED in log, signal.SIGUSR1, 0),
        ("augmented", lambda exp, log: read(exp / "metrics.jsonl"), signal.SIGTERM, 2),
    ],
    ids=["before the cache is filled", "cached", "augmented", "with workers"],
    indirect=["undisturbed"],
)
def test_asked_to_stop_it_saves_and_exits_with_75(corpus, exp, undisturbed, moment, number, workers):
    """Slurm's scancel and time limit send SIGTERM to every process of a job: the workers, too, are to go on."""
    changes = {**undisturbed[0], "train__save_minutes": 60.0, "train__workers": workers}
    child = train_child(corpus, exp, before=lambda: os.setpgid(0, 0), **changes)
    wait_for(lambda: moment(exp, read(child.stderr)), child)
    before_the_cache = PLANNED not in read(child.stderr)
    os.killpg(child.process, number)
    assert child.status() == 75, read(child.stderr)
    assert f"{number.name}: saved; run the same command again" in read(child.stderr)
    assert not before_the_cache or PLANNED not in read(child.stderr)
    assert not (exp / "summary.json").exists()
    assert_ends_the_same(corpus, exp, (changes, undisturbed[1]))


def test_asked_before_anything_is_imported_it_exits_with_75(tmp_path):
    program = f"""
import builtins, os, runpy, sys
real = builtins.__import__
def signalled(name, *rest, **more):
    if name.startswith("torch"):  # its import is where the seconds go
        os.kill(os.getpid(), {int(signal.SIGUSR1)})
    return real(name, *rest, **more)
builtins.__import__ = signalled
sys.argv = ["train", "--help"]
runpy.run_module("sure.bin.train", run_name="__main__")
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False).returncode == 75


@cached
def test_a_damaged_summary_is_written_again(corpus, exp, undisturbed):
    shutil.copytree(undisturbed[1], exp)
    (exp / "summary.json").write_text('{"score": ')
    assert_ends_the_same(corpus, exp, undisturbed)
    assert '"epochs": 3' in (exp / "summary.json").read_text()


@cached
def test_a_full_disk_stops_training_and_loses_nothing(corpus, exp, undisturbed):
    changes, _ = undisturbed
    stop_after_the_first_checkpoint(corpus, exp, changes)
    limit = (exp / "checkpoints" / "last.pt").stat().st_size // 2
    room = limit, resource.RLIM_INFINITY
    child = train_child(corpus, exp, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, room), **changes)
    assert child.status() == 2
    message = read(child.stderr).splitlines()[-1]
    assert message.startswith("error: cannot write ")
    assert "too large; the file that was there before is kept; free some space and run the same command" in message
    assert not list(exp.rglob("*.partial"))
    assert_ends_the_same(corpus, exp, undisturbed)


def test_other_data_than_before_is_refused(corpus, tmp_path, exp):
    toys.make_set(tmp_path, "train", 12)
    changes = {"train__save_minutes": 1e-9, "data__train": str(tmp_path / "data" / "train")}
    stop_after_the_first_checkpoint(corpus, exp, changes)
    toys.make_set(tmp_path, "train", 13)
    with pytest.raises(SureError, match="the training set has changed since"):
        train_here(corpus, exp, **changes)
    toys.make_set(tmp_path, "train", 12)
    train_here(corpus, exp, **changes)
