"""The server of client.py: a process that has imported the libraries, and forks for each call.

Each command runs in a process of its own, as if Python had been started for it. The frozen weights of the first call
are loaded once, and all forks share their memory. The server ends with the run that it belongs to; forks that still
run then go on.
"""

import argparse
import atexit
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

# with all that they import; the first optimizer of a process imports torch._dynamo, which takes as long as torch
MODULES = ("sure.config", "sure.stages.experiment", "sure.train.launch", "sure.train.run", "torch._dynamo")
MODULES += ("matplotlib.backends.backend_agg", "scipy.signal", "tensorboardX.event_file_writer", "tensorboardX.summary")
START = dict(os.environ)
COMMANDS_WITH_MODEL = ("sure.bin.train", "sure.bin.tune_decode", "sure.bin.decode")


def serve(listener: socket.socket, run: int, words: list[str]) -> dict[str, Any]:
    """Fork for each call until the process `run` ends. Returns the call in its fork. words: of the first call."""
    for name in MODULES:
        with suppress(ImportError):
            importlib.import_module(name)
    if words[1] in COMMANDS_WITH_MODEL:
        with suppress(Exception), ThreadPoolExecutor(1) as pool:  # the command itself reports its error
            pool.submit(preload, words).result()  # in a thread: OpenMP's threads of this one would be missing in forks
    code = modification_times()
    gc.freeze()  # a collection in a fork would copy the memory of these objects
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ended = os.pidfd_open(run)
    while ended not in select.select([listener, ended], [], [])[0]:
        caller, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return attend(caller, modification_times() == code)
        caller.close()
    sys.exit()


def preload(words: list[str]) -> None:
    """Load the weights of the config in the arguments of a command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--exp", type=Path)
    parser.add_argument("--config", action="append")
    options, others = parser.parse_known_args(words[2:])
    load_config = importlib.import_module("sure.config").load_config
    files = options.config or options.exp / "config.yaml"
    config = load_config(files, [word for word in others if options.config and "=" in word])
    importlib.import_module("sure.models.build").preload(config)


def modification_times() -> dict[str, int]:
    """Modification time in ns of each file of SURE that this process has imported."""
    files = [module.__file__ for name, module in list(sys.modules.items()) if name.partition(".")[0] == "sure"]
    return {file: Path(file).stat().st_mtime_ns if os.path.exists(file) else 0 for file in files if file}


def attend(caller: socket.socket, current: bool) -> dict[str, Any]:
    """Returns the call in a second fork. The first one waits for its end and answers with its number and exit status.

    The second fork is killed, with the processes that it has started, if the caller ends before it. current: whether
    the files are unchanged since they were imported; if not, there is no second fork.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, *_ = socket.recv_fds(caller, 9, 3)
    call = json.loads(caller.recv(int(size), socket.MSG_WAITALL))
    if not current:
        caller.sendall(b"0\n")
        os._exit(0)
    process = os.fork()
    if not process:
        os.setpgid(0, 0)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        caller.close()
        return call
    with suppress(OSError):  # the caller has ended
        caller.sendall(b"%d\n" % process)
    ended = os.pidfd_open(process)
    if ended not in select.select([ended, caller], [], [])[0]:
        with suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with suppress(OSError):
        caller.sendall(b"%d\n" % (status if status >= 0 else 128 - status))
    os._exit(0)


def run_command(call: dict[str, Any]) -> None:
    """Run `-m MODULE WORD...` as the main program of this process, and end it.

    The process ends without deleting the objects of all libraries, whose memory would be copied first.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in call["ignored"] else usual)
    os.chdir(call["cwd"])
    of_imports = {name: text for name, text in os.environ.items() if name not in START}  # such as of sure/__init__.py
    os.environ.clear()
    os.environ.update(of_imports | call["environment"])
    sys.path[:0], sys.argv = [call["cwd"]], call["words"][1:]
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
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
    del sys.path[0]  # the folder of this file
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        folder = Path(listener.getsockname()).parent
        try:
            call = serve(listener, int(sys.argv[2]), sys.argv[3:])
        except SystemExit:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    run_command(call)
