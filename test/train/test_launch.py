"""`--processes N` starts N processes with torchrun's agent, passes signals on, and exits with their status."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toys import Child, read, train_arguments, train_here, wait_for

from sure.bin import train
from sure.errors import SureError
from sure.train.launch import children_of

EXACT = {"petl__dropout": 0.0, "head__dropout": 0.0}
PAIR = ("--processes", "2")
# As a thread of gloo sometimes does in the interpreter's shutdown; only torchrun's processes have the variable.
ABORT = "import atexit, os; atexit.register(os.abort) if 'TORCHELASTIC_RUN_ID' in os.environ else None\n"


def start(corpus, exp, *words, log="stderr", **changes):
    """The command of a training in a process of its own."""
    command = [sys.executable, "-m", "sure.bin.train", *train_arguments(corpus, exp, **EXACT, **changes), *words]
    given = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")}
    (exp.parent / "sitecustomize.py").write_text(ABORT)
    given["PYTHONPATH"] = os.pathsep.join([str(exp.parent), *sys.path])
    return Child(lambda: os.execve(sys.executable, command, given), exp.with_suffix(f".{log}"))


def started(corpus, exp, name, **changes):
    """A training by two processes that has saved the checkpoint `name`, and these processes."""
    child = start(corpus, exp, *PAIR, **changes)
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
    assert log.count("SIGTERM: saved") == 1 and "Traceback" not in log and "resuming at epoch" in log


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
        port = free.getsockname()[1]
    words = ("--nodes", "2", *PAIR, "--rendezvous", f"127.0.0.1:{port}")
    nodes = [start(corpus, tmp_path / "exp", *words, log=f"node{number}") for number in range(2)]
    assert [node.status() for node in nodes] == [0, 0], [read(node.stderr) for node in nodes]
    assert sorted(bool(read(node.stderr)) for node in nodes) == [False, True]  # process 0 is on one of them
    alone = train_here(corpus, tmp_path / "alone", **EXACT)
    one, other = (load_file(exp / "best.safetensors") for exp in (alone, tmp_path / "exp"))
    for key, tensor in one.items():
        torch.testing.assert_close(other[key], tensor, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--processes", "0", "--nodes", "2"], "both have to be at least 1"),
        (["--nodes", "2"], "needs --rendezvous HOST:PORT"),
    ],
)
def test_impossible_numbers_are_one_error(corpus, tmp_path, words, message):
    with pytest.raises(SureError, match=message):
        train.main([*train_arguments(corpus, tmp_path / "exp"), *words])
