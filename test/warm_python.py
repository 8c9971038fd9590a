"""A Python that starts `-m MODULE` in a fork of a process with the libraries, and so spares their imports.

Each module still runs in a process of its own, with its own arguments, environment, folder and open files.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# What the stages import; the first optimizer of a process imports torch._dynamo, which takes as long as torch.
LIBRARIES = (
    *("adjustText", "av", "jiwer", "matplotlib.backends.backend_agg", "num2words", "pydantic", "scipy.signal"),
    *("scipy.stats", "sentencepiece", "soundfile", "tensorboardX.summary", "torch._dynamo", "torchaudio", "yaml"),
    *("pydantic.main", "safetensors.torch", "torch.distributed.launcher.api"),
)
PYTHON = """#!/bin/sh
case "$1 $2" in "-m sure.bin."*) exec {python} -S {client} {address} "$@" ;; esac
exec {python} "$@"
"""


@contextmanager
def warm_python(root: Path, **environment: str) -> Iterator[None]:
    """Replace the Python of a project, with `root/.venv` and `root/sure`.

    environment: variables that libraries read when they are imported.
    """
    with tempfile.TemporaryDirectory() as folder:
        address, here = f"{folder}/socket", Path(__file__).resolve()
        words = {"python": sys.executable, "client": str(here.with_name("warm_call.py")), "address": address}
        text = PYTHON.format(**{name: shlex.quote(word) for name, word in words.items()})
        (root / ".venv" / "bin" / "python").write_text(text)
        server = subprocess.Popen([sys.executable, here, address, root], env=os.environ | environment)
        try:
            while not os.path.exists(address):
                assert server.poll() is None
                time.sleep(0.05)
            yield
        finally:
            server.kill()
            server.wait()


def serve(address: str, root: str) -> None:
    """Fork for each call; returns in the fork that has become its process."""
    sys.path.insert(0, root)
    for name in (*LIBRARIES, *modules(root)):
        with suppress(ImportError):  # of optional dependencies that are not installed
            importlib.import_module(name)
    gc.freeze()  # a collection in a fork would copy their memory
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            if os.fork():
                connection.close()
                continue
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            size, files, *_ = socket.recv_fds(connection, 9, 3)
            request = json.loads(connection.recv(int(size), socket.MSG_WAITALL))
            if child := os.fork():
                attend(child, connection)
                os._exit(0)
            become(request, files)
            return


def attend(child: int, caller: socket.socket) -> None:
    """Send the exit status of a process to its caller; kill it, with those that it has started, if the caller ends."""
    os.setpgid(child, child)
    ended = os.pidfd_open(child)
    if ended not in select.select([ended, caller], [], [])[0]:
        os.killpg(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) % 256
    with suppress(BrokenPipeError):
        caller.sendall(b"%d" % status)


def modules(root: str) -> list[str]:
    """Modules of sure without the entry points, which run as `__main__`."""
    found = pkgutil.walk_packages([f"{root}/sure"], "sure.")
    return [module.name for module in found if not module.name.startswith("sure.bin.")]


def become(request: dict, files: list[int]) -> None:
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["words"][1:]
    sys.path[:1] = [request["cwd"], *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]


def run_to_the_end(module: str) -> None:
    """Run a module and end this process, without taking apart the objects of all libraries, which are copied then."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        status = end.code or 0
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    serve(*sys.argv[1:])
    run_to_the_end(sys.argv[0])
