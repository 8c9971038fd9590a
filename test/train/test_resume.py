"""Killed at any moment and started again, training ends with the same weights, bit for bit.

Its checkpoints survive flipped bits and torn files; its lock refuses a second training, and no longer than it lives.
"""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import toys
from damage import flip
from toys import Child, children, kill, read, train_child, train_here, wait_for, written

from sure.errors import SureError
from sure.interrupt import REASONS
from sure.train import lock as locks
from sure.train.checkpoint import Checkpoints
from sure.train.checkpoint_parts import BestWeights
from sure.train.lock import lock
from sure.train.progress import Progress

AUGMENTED = {
    "task": "asr",
    "petl": {"name": "prefix", "length": 4, "reparametrise": True},
    "augment": {"speed": [0.9, 1.1], "noise_snr_db": [10, 20], "time_masks": 1, "time_mask_frames": 4},
    "train__accumulate": 2,
}
STORM = {**AUGMENTED, "head__dropout": 0.2, "train__batch_seconds": 2.0, "train__epochs": 20, "train__patience": 6}
VARIANTS = {
    "cached": {"augment": {"speed": [0.9, 1.1]}},
    "augmented": AUGMENTED,
    "storm with workers": {**STORM, "train__workers": 2},
    "storm of two processes": {**STORM, "count": 2},
}
cached = pytest.mark.parametrize("undisturbed", ["cached"], indirect=True)


def start(corpus, exp, count=1, **changes):
    return children(corpus, exp, count, **changes) if count > 1 else [train_child(corpus, exp, **changes)]


@pytest.fixture(scope="module")
def undisturbed(request, corpus, tmp_path_factory):
    """Settings, with a checkpoint after every step, and a training with them that nothing stops."""
    changes, exp = {**VARIANTS[request.param], "train__save_minutes": 1e-9}, tmp_path_factory.mktemp("exp") / "exp"
    trainers = start(corpus, exp, **changes)
    assert all(child.status() == 0 for child in trainers), [read(child.stderr) for child in trainers]
    return changes, exp


@pytest.fixture
def exp(tmp_path):
    return tmp_path / "exp"


def assert_ends_the_same(corpus, exp, undisturbed):
    changes, reference = undisturbed
    train_here(corpus, exp, **changes)
    toys.assert_same(exp, reference)


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
        *(pytest.param(f"storm {name}", 25, marks=pytest.mark.slow) for name in ("with workers", "of two processes")),
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
    assert f"{REASONS[number]}: saved; run the same command again" in read(child.stderr)
    assert not before_the_cache or PLANNED not in read(child.stderr)
    assert not (exp / "summary.json").exists()
    assert_ends_the_same(corpus, exp, (changes, undisturbed[1]))


def test_asked_before_anything_is_imported_it_exits_with_75(tmp_path):
    program = f"""
import importlib.abc, os, runpy, sys
class Signal(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        if name == "torch":  # its import is where the seconds go
            os.kill(os.getpid(), {int(signal.SIGUSR1)})
sys.meta_path.insert(0, Signal())
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


def stop_after_the_first_checkpoint(corpus, exp, changes):
    wait_for(exp / "checkpoints" / "last.pt", child := train_child(corpus, exp, **changes))
    assert kill(signal.SIGTERM, child) == [75], read(child.stderr)


@cached
def test_a_full_disk_stops_training_and_loses_nothing(corpus, exp, undisturbed):
    stop_after_the_first_checkpoint(corpus, exp, undisturbed[0])
    room = (exp / "checkpoints" / "last.pt").stat().st_size // 2, resource.RLIM_INFINITY
    full = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, room)  # noqa: E731
    child = train_child(corpus, exp, before=full, **undisturbed[0])
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


def test_one_that_was_written_and_not_renamed_is_the_newest(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load() is None
    checkpoints.save({"number": 1})
    checkpoints.last.rename(checkpoints.next)
    assert checkpoints.load()["number"] == 1  # killed in the first save, between the renames
    checkpoints.save({"number": 2})
    checkpoints.last.rename(checkpoints.next)
    for expected in (2, 1):
        checkpoints.last.write_bytes(b"torn")
        assert checkpoints.load()["number"] == expected


CUT = [lambda path, size=size: os.truncate(path, size) for size in (0, 600)]
CHANGED = [lambda path: flip(path, 500), lambda path: path.write_bytes(path.read_bytes() + b"x")]


@pytest.mark.parametrize("damage", CUT + CHANGED)
def test_a_damaged_file_is_not_used(tmp_path, caplog, damage):
    checkpoints = Checkpoints(tmp_path)
    for number in (1, 2):
        checkpoints.save({"number": number})
    damage(checkpoints.last)
    assert checkpoints.load()["number"] == 1 and "last.pt is damaged" in caplog.text
    checkpoints.save({"number": 3})  # which does not replace the good one
    assert checkpoints.load()["number"] == 3
    checkpoints.last.write_bytes(b"")
    assert checkpoints.load()["number"] == 1
    checkpoints.previous.write_bytes(b"torn")
    for _ in range(2):  # the damaged files are renamed; nevertheless training never begins afresh
        with pytest.raises(SureError, match="all checkpoints are damaged; train from the beginning with --restart"):
            checkpoints.load()


def test_the_first_training_is_named_and_once_killed_forgotten(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "RENEW_SECONDS", 0.1)
    exp = tmp_path / "exp"
    child = train_child(corpus, exp, train__epochs=1000)
    refused = pytest.raises(SureError, match=f"process {child.process} on {os.uname().nodename} is training here")
    try:
        wait_for(exp / "metrics.jsonl", child)
        with refused:
            train_here(corpus, exp, train__epochs=1000)
        with monkeypatch.context() as elsewhere, refused:  # a file system that does not pass locks on
            elsewhere.setattr(locks.fcntl, "lockf", lambda *_: None)
            elsewhere.setattr(locks.socket, "gethostname", lambda: "another-host")
            with lock(exp):
                pass
    finally:
        kill(signal.SIGKILL, child)
    with lock(exp):
        pass
    assert (exp / ".lock").read_text() == ""


def test_killed_on_another_host(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "WATCH_SECONDS", 1.0)
    (tmp_path / ".lock").write_text("process 12 on another-host\n")
    with lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"process {os.getpid()} on {os.uname().nodename}\n"


def test_processes_started_by_a_training_do_not_hold_its_lock(tmp_path):
    """Workers of a killed training live on for some seconds."""

    def with_worker():
        with lock(tmp_path):
            (tmp_path / "worker").write_text(str(Child(lambda: time.sleep(1000), tmp_path / "stderr").process))
            os.kill(os.getpid(), signal.SIGKILL)

    assert Child(with_worker, tmp_path / "stderr").status() == -signal.SIGKILL
    try:
        with lock(tmp_path):
            pass
    finally:
        os.kill(int((tmp_path / "worker").read_text()), signal.SIGKILL)


def test_a_training_chosen_by_another_score_resumes_with_the_score_of_today():
    """Earlier versions chose by WER in languages without spaces."""
    progress = Progress(best_epoch=2, best_score=90.0, history=[{"epoch": 2, "dev_wer": 90.0, "dev_cer": 30.0}])
    model = SimpleNamespace(task=SimpleNamespace(score_name="cer"), attachment=SimpleNamespace(current_names=dict))
    BestWeights(model, progress, None, writes=False).load_state_dict({})
    assert progress.best_score == 30.0


@pytest.mark.parametrize("undisturbed", ["augmented"], indirect=True)
def test_trained_in_parts_it_ends_as_in_one_go_and_only_the_end_has_a_summary(corpus, exp, undisturbed):
    changes, reference = undisturbed
    for part, epoch in (("1/9", 1), ("2/3", 2)):
        train_here(corpus, exp, "--part", part, **changes)
        lines = toys.read_lines(exp)
        assert [line["epoch"] for line in lines] == list(range(1, epoch + 1)) and not (exp / "summary.json").exists()
        assert lines[-1]["lr_adapter"] == toys.read_lines(reference)[epoch - 1]["lr_adapter"]
    assert_ends_the_same(corpus, exp, undisturbed)
    assert (exp / "summary.json").exists()
