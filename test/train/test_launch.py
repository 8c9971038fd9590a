"""`--processes N` starts N processes with torchrun's agent, passes signals on, and exits with their status."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toys import train_arguments, train_here

from sure.bin import train
from sure.errors import SureError
from sure.train.launch import children_of

ROOT = Path(__file__).parents[2]
EXACT = {"petl__dropout": 0.0, "head__dropout": 0.0, "train__epochs": 4}


def start(corpus, exp, *words, **changes):
    command = [sys.executable, "-m", "sure.bin.train", *train_arguments(corpus, exp, **changes), *words]
    given = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")}
    return subprocess.Popen(command, cwd=ROOT, env=given, stderr=subprocess.PIPE, text=True)


def wait_for(path, *processes):
    while not path.exists():
        assert all(process.poll() is None for process in processes), [process.communicate() for process in processes]
        time.sleep(0.01)


def test_signals_and_kills_end_all_and_the_same_command_goes_on(corpus, tmp_path):
    changes = {**EXACT, "train__epochs": 300}
    process = start(corpus, tmp_path / "exp", "--processes", "2", **changes)
    wait_for(tmp_path / "exp" / "checkpoints" / "last.pt", process)
    workers = children_of(process.pid)
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    said = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGKILL, said
    assert (
        f"process 1, on {socket.gethostname()}, was ended by SIGKILL" in said and "run the same command again" in said
    )
    assert "Traceback" not in said and not any(Path(f"/proc/{worker}").exists() for worker in workers)

    process = start(corpus, tmp_path / "exp", "--processes", "2", **changes)
    wait_for(tmp_path / "exp" / "checkpoints" / "previous.pt", process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate()[1]
    assert process.returncode == 75, said
    assert said.count("SIGTERM: saved") == 1 and "Traceback" not in said
    assert "resuming at epoch" in said


@pytest.mark.slow
def test_without_torchrun_nobody_trains_on(corpus, tmp_path):
    process = start(corpus, tmp_path / "exp", "--processes", "2", **{**EXACT, "train__epochs": 1000})
    wait_for(tmp_path / "exp" / "checkpoints" / "last.pt", process)
    workers = children_of(process.pid)
    process.kill()
    process.wait()
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        time.sleep(0.01)


@pytest.mark.slow
def test_two_nodes_are_as_one(corpus, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("--nodes", "2", "--processes", "2", "--rendezvous", f"127.0.0.1:{port}")
    nodes = [start(corpus, tmp_path / "exp", *words, **EXACT) for _ in range(2)]
    said = [node.communicate()[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    assert sorted(bool(text) for text in said) == [False, True], said  # process 0 is on one of them
    alone = train_here(corpus, tmp_path / "alone", **EXACT)
    one, other = (load_file(exp / "best.safetensors") for exp in (alone, tmp_path / "exp"))
    for key, tensor in one.items():
        torch.testing.assert_close(other[key], tensor, rtol=1e-3, atol=2e-4)


def test_numbers_that_make_no_sense_are_one_error(corpus, tmp_path):
    given = train_arguments(corpus, tmp_path / "exp")
    for words, message in (
        (["--processes", "0", "--nodes", "2"], "both have to be at least 1"),
        (["--nodes", "2"], "needs --rendezvous HOST:PORT"),
    ):
        with pytest.raises(SureError, match=message):
            train.main([*given, *words])
