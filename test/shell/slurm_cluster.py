"""A real Slurm of two nodes, started by the project's own scripts for the tests of --launch slurm."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from small_project import PIPES, ROOT, SHELL, Project, until

TOOLS = ROOT / "tools" / "slurm"
CPUS = 4
GPUS = 2 if os.geteuid() == 0 else 0  # only root can make the device files of fake GPUs


class Cluster:
    """A running Slurm; `variables` make its commands and run.sh use it."""

    def __init__(self, folder: Path):
        self.folder, self.variables = folder, {"SLURM_CONF": str(folder / "slurm.conf")}
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))}
        self.environment = kept | self.variables

    def run(self, *words: str, timeout: float = 120, **options) -> subprocess.CompletedProcess:
        options = {"env": self.environment, "capture_output": True, "timeout": timeout} | options
        return subprocess.run(words, **SHELL, **options)

    def start(self, *words: str, **options) -> subprocess.Popen:
        return subprocess.Popen(words, env=self.environment, **SHELL, **PIPES, **options)

    def queue(self) -> list[tuple[str, str, str]]:
        """Id, name and state of each job and task."""
        done = self.run("squeue", "-h", "-r", "-o", "%i\t%j\t%T")
        assert done.returncode == 0, done.stderr
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


class Launcher:
    """A launcher of a copy of the project, called in another folder."""

    def __init__(self, name: str, project: Project, folder: Path, cluster: Cluster | None = None):
        folder.mkdir()
        self.cluster, self.folder = cluster, folder
        self.call = ("bash", str(project.root / "utils" / "launch" / f"{name}.sh"))
        self.settings = project.root / "utils" / "cluster.sh"
        self.options = {"cwd": folder, "env": cluster.environment if cluster else None, **SHELL}

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess:
        return subprocess.run([*self.call, *words], capture_output=True, timeout=timeout, **self.options)

    def start(self, *words: str, begun: str = "begun", count: int = 1) -> subprocess.Popen:
        """Start it, and wait until the command has made `count` files of the pattern `begun`."""
        process = subprocess.Popen([*self.call, *words], **self.options, **PIPES)
        until(lambda: len(list(self.folder.glob(begun))) == count, 60)
        return process

    def log(self, name: str = "job.log") -> str:
        return (self.folder / name).read_text()


def end(process: subprocess.Popen, status: int, timeout: float = 60) -> tuple[str, str]:
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == status, out + err
    return out, err


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Skip the test, with the reason, where Slurm cannot be installed."""
    folder = Path(tempfile.mkdtemp(prefix="slurm"))  # tmp_path of pytest is too long for a socket
    cluster, words = Cluster(folder), f"--nodes 2 --cpus {CPUS} --gpus {GPUS} --port {free_ports()}".split()
    try:
        done = cluster.run("bash", str(TOOLS / "start_slurm.sh"), *words, str(folder), timeout=600)
        if done.returncode == 3:
            pytest.skip(done.stderr.strip().splitlines()[-1])
        assert done.returncode == 0, done.stderr
        yield cluster
    finally:
        done = cluster.run("bash", str(TOOLS / "stop_slurm.sh"), str(folder))
        assert done.returncode == 0, done.stderr
        shutil.rmtree(folder)


def free_ports() -> int:
    """The first of three consecutive free ports."""
    for port in range(16817, 17817, 3):
        with ExitStack() as stack, suppress(OSError):
            for number in range(port, port + 3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port
    raise AssertionError("no free ports")
