"""Several processes learn the same as one; they stop, resume, and after a failure end together.

`--processes N` starts them with torchrun's agent, passes signals on, and exits with their status.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
import soundfile
import torch
import toys
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from toys import Child, assert_same, children, kill, make_set, read, train_here, wait_for, written

from sure.bin import train
from sure.errors import SureError
from sure.train.distributed import Processes
from sure.train.launch import children_of


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=9), min_size=1, max_size=9), st.integers(1, 9))
def test_shares_are_the_whole_step(step, size):
    shares = [Processes(rank, size).share(step) for rank in range(size)]
    assert sorted(sum(sum(shares, []), [])) == sorted(sum(step, []))
    most = max(map(len, step))
    assert all(0 < len(piece) <= most for share in shares for piece in share)
    assert {len(share) for share in shares} <= {len(shares[0]), *range(len(shares[0]))}
    if all(len(batch) % size == 0 for batch in step) and len({len(batch) for batch in step}) == 1:
        assert len({sum(map(len, share)) for share in shares}) == 1


EXACT = {"petl__dropout": 0.0, "head__dropout": 0.0}


def together(corpus, exp, count, **changes):
    processes = children(corpus, exp, count, **changes)
    assert [child.status() for child in processes] == [0] * count, [read(child.stderr) for child in processes]
    assert all(not read(child.stderr) for child in processes[1:])
    return exp


def assert_close(exp, reference):
    one, other = (load_file(e / "best.safetensors") for e in (exp, reference))
    assert one.keys() == other.keys()
    for key, tensor in other.items():
        torch.testing.assert_close(one[key], tensor, rtol=1e-3, atol=2e-4)


FROM_AUDIO = {"task": "asr", "petl": {"name": "bottleneck"}, "augment": {"noise_snr_db": [10, 20]}}
FROM_AUDIO |= {"train__accumulate": 2, "decode__batch_seconds": 1000.0}


# 3.0 s are 2 to 6 utterances, so some of the 3 processes get none; and dev has fewer batches than processes
@pytest.mark.parametrize(("count", "changes"), [(2, {}), (3, FROM_AUDIO)], ids=["cached", "from audio"])
def test_the_same_as_one_process(corpus, tmp_path, count, changes):
    """Losses, rates and best weights, to rounding, without a recording that became unreadable."""
    make_set(tmp_path, "train", 24)
    (tmp_path / "wav" / "train5.wav").write_bytes(b"")
    changes = {**EXACT, **changes, "data__train": str(tmp_path / "data" / "train"), "data__on_bad_utterance": "skip"}
    alone = train_here(corpus, tmp_path / "alone", **changes)
    exp = together(corpus, tmp_path / "exp", count, **changes)
    for left, right in zip(toys.read_lines(alone), toys.read_lines(exp), strict=True):
        for key in ("step", "train_loss", "dev_loss", *(key for key in left if key.startswith("lr_"))):
            assert right[key] == pytest.approx(left[key], rel=1e-4), key
    assert_close(exp, alone)
    assert (exp / "left_out.txt").read_text() == "empty audio file\ttrain-005\n"
    assert json.loads((exp / "summary.json").read_text())["processes"] == count


KILLED = {"train__epochs": 4, "train__save_minutes": 1e-9, "train__prefix_cache": "off", "train__workers": 1}


def test_killed_or_asked_to_stop_they_resume_bit_for_bit(corpus, tmp_path):
    undisturbed, exp = together(corpus, tmp_path / "undisturbed", 2, **KILLED), tmp_path / "exp"
    last = exp / "checkpoints" / "last.pt"

    def begun():
        """Processes that have written a checkpoint."""
        before, processes = written(last), children(corpus, exp, 2, **KILLED)
        wait_for(lambda: written(last) != before, *processes)
        return processes

    assert set(kill(signal.SIGKILL, *begun())) == {-signal.SIGKILL}
    one, other = begun()
    assert kill(signal.SIGKILL, other) == [-signal.SIGKILL]
    assert one.status() == 2
    for log in (read(one.stderr).splitlines()[-1], read(exp / "train.log")):
        assert "another process of this training has ended" in log
    one, other = begun()
    other.kill(signal.SIGUSR1)
    assert [one.status(), other.status()] == [75, 75], read(one.stderr)
    assert read(exp / "train.log").count("SIGUSR1: saved") == 1 and not read(other.stderr)
    together(corpus, exp, 2, **KILLED)
    assert read(exp / "train.log").count("resuming at") >= 3
    assert_same(exp, undisturbed)


@pytest.mark.parametrize("fault", ["broken recordings", "other data"])
def test_an_error_of_one_process_is_reported_once(corpus, tmp_path, fault):
    inside = [tmp_path / "0", tmp_path / "1"]  # each process has its own copy of the data, as on two nodes
    for folder in inside:
        make_set(folder, "train", 13 if fault == "other data" and folder == inside[1] else 12)
    if fault == "broken recordings":
        for file in (inside[1] / "wav").iterdir():
            soundfile.write(file, [0.0] * 100, 16000)
    changes = {"data__train": "data/train", "train__prefix_cache": "off"}
    processes = children(corpus, tmp_path / "exp", 2, inside=inside, **changes)
    assert [child.status() for child in processes] == [2, 2]
    lines = [line for child in processes for line in read(child.stderr).splitlines() if line.startswith("error:")]
    if fault == "other data":
        assert len(lines) == 1 and "the training set of process 1 of 2 differs from process 0" in lines[0]
    else:
        assert len(lines) == 1 and "utterance 'train-" in lines[0] and lines[0] in read(processes[1].stderr)
        assert "process 1 of 2: utterance 'train-" in read(tmp_path / "exp" / "train.log")


# As a thread of gloo sometimes does in the interpreter's shutdown; only torchrun's processes have the variable.
ABORT = "import atexit, os; atexit.register(os.abort) if 'TORCHELASTIC_RUN_ID' in os.environ else None\n"


def start(corpus, exp, *words, log="stderr", **changes):
    """The command of a training in a process of its own."""
    command = [sys.executable, "-m", "sure.bin.train", "--processes", "2", *words]
    command += toys.train_arguments(corpus, exp, **EXACT, **changes)
    given = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")}
    (exp.parent / "sitecustomize.py").write_text(ABORT)
    given["PYTHONPATH"] = os.pathsep.join([str(exp.parent), *sys.path])
    return Child(lambda: os.execve(sys.executable, command, given), exp.with_suffix(f".{log}"))


def started(corpus, exp, name, **changes):
    """A training by two processes that has saved the checkpoint `name`, and these processes."""
    child = start(corpus, exp, **changes)
    wait_for(exp / "checkpoints" / name, child)
    return child, children_of(child.process)


def test_signals_and_kills_end_all_and_the_same_command_goes_on(corpus, tmp_path):
    exp = tmp_path / "exp"
    child, workers = started(corpus, exp, "last.pt", train__epochs=300)
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    assert child.status() == 128 + signal.SIGKILL, read(child.stderr)
    message = f"process 1, on {socket.gethostname()}, was ended by SIGKILL"
    assert message in read(child.stderr) and "run the same command again" in read(child.stderr)
    assert "Traceback" not in read(child.stderr) and not any(Path(f"/proc/{worker}").exists() for worker in workers)

    child, _ = started(corpus, exp, "previous.pt", train__epochs=300)
    child.kill(signal.SIGTERM)
    assert child.status() == 75, read(child.stderr)
    log = read(child.stderr)
    assert (
        log.count("asked to stop: saved") == 1
        and "SIG" not in log
        and "Traceback" not in log
        and "resuming at epoch" in log
    )


@pytest.mark.slow
def test_training_ends_with_torchrun(corpus, tmp_path):
    child, workers = started(corpus, tmp_path / "exp", "last.pt", train__epochs=1000)
    child.kill(signal.SIGKILL)
    child.status()
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        time.sleep(0.01)


@pytest.mark.slow
def test_two_nodes_learn_the_same_as_one_process(corpus, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        words = ("--nodes", "2", "--rendezvous", f"127.0.0.1:{free.getsockname()[1]}")
    nodes = [start(corpus, tmp_path / "exp", *words, log=f"node{number}") for number in range(2)]
    assert [node.status() for node in nodes] == [0, 0], [read(node.stderr) for node in nodes]
    assert sorted(bool(read(node.stderr)) for node in nodes) == [False, True]  # process 0 is on one of them
    assert_close(tmp_path / "exp", train_here(corpus, tmp_path / "alone", **EXACT))


def test_impossible_numbers_are_one_error(corpus, tmp_path):
    for words, message in ("--processes 0 --nodes 2", "have to be at least 1"), ("--nodes 2", "--rendezvous HOST"):
        with pytest.raises(SureError, match=message):
            train.main([*toys.train_arguments(corpus, tmp_path / "exp"), *words.split()])
