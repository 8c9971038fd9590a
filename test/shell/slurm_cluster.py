"""A real Slurm of two nodes, started by the project's own scripts for the tests of --launch slurm."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from small_project import ROOT

TOOLS = ROOT / "tools" / "slurm"
CPUS = 4


class Cluster:
    """A running Slurm; `variables` make its commands and run.sh use it."""

    def __init__(self, folder: Path):
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
        self.variables = {"SLURM_CONF": str(folder / "slurm.conf")}
        self.environment = kept | self.variables

    def run(self, *words: str, **options) -> subprocess.CompletedProcess:
        options = {"env": self.environment, "stdin": subprocess.DEVNULL, "timeout": 120} | options
        return subprocess.run(words, capture_output=True, text=True, **options)

    def start(self, *words: str, **options) -> subprocess.Popen:
        options = {"env": self.environment, "stdin": subprocess.DEVNULL} | options
        pipe = subprocess.PIPE
        return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, start_new_session=True, **options)

    def queue(self) -> list[tuple[str, str, str]]:
        """Id, name and state of each job and task."""
        done = self.run("squeue", "-h", "-r", "-o", "%i\t%j\t%T")
        assert done.returncode == 0, done.stderr
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Skip the test, with the reason, where Slurm cannot be installed."""
    folder = Path(tempfile.mkdtemp(prefix="slurm"))  # tmp_path of pytest is too long for a socket
    try:
        words = [
            "--nodes",
            "2",
            "--cpus",
            str(CPUS),
            "--gpus",
            "2" if os.geteuid() == 0 else "0",
            "--port",
            str(free_ports()),
        ]
        start = ["bash", str(TOOLS / "start_slurm.sh"), *words, str(folder)]
        done = subprocess.run(start, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        if done.returncode == 3:
            pytest.skip(done.stderr.strip().splitlines()[-1])
        assert done.returncode == 0, done.stderr
        yield Cluster(folder)
    finally:
        stop = ["bash", str(TOOLS / "stop_slurm.sh"), str(folder)]
        done = subprocess.run(stop, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        shutil.rmtree(folder)


def free_ports() -> int:
    """The first of three consecutive free ports."""
    for port in range(16817, 17817, 3):
        with ExitStack() as stack:
            try:
                for number in range(port, port + 3):
                    one = stack.enter_context(socket.socket())
                    one.bind(("127.0.0.1", number))
            except OSError:
                continue
        return port
    raise AssertionError("no free ports")
