"""`python -S client.py FOLDER RUN WORD...`: `python WORD...` in a fork of the server in FOLDER.

The first call starts the server (server.py), which ends with the process RUN. A fork has the words, environment,
working directory and open files of the call; the call passes signals on to it and ends with its exit status. Where the
server cannot be reached, the call becomes `python WORD...`. This file imports nothing that takes long.
"""

import fcntl
import json
import os
import signal
import socket
import sys
import zlib
from contextlib import suppress

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
# starts of the names of variables that the interpreter and libraries read when they are loaded
READ_WHEN_LOADED = tuple("ATEN_ GOMP_ KMP_ LD_ MALLOC_ MKL_ OMP_ OPENBLAS_ PYTHON PYTORCH TORCH".split())


def ask(server: socket.socket, words: list[str], ignored: list[int]) -> tuple[int, socket.SocketIO]:
    """The number of the process that runs `python WORD...`, 0 if there is none, and the file with its exit status."""
    request = {"words": words, "cwd": os.getcwd(), "environment": dict(os.environ), "ignored": ignored}
    content = json.dumps(request).encode()
    socket.send_fds(server, [b"%9d" % len(content)], [0, 1, 2])
    server.sendall(content)
    answers = server.makefile("rb", buffering=0)
    return int(answers.readline() or 0), answers


def connect(folder: str, run: str, words: list[str]) -> socket.socket:
    """A connection to the server with this environment, which is started if there is none. Raises OSError."""
    read = sorted((name, text) for name, text in os.environ.items() if name.startswith(READ_WHEN_LOADED))
    address = os.path.join(folder, str(zlib.crc32(json.dumps(read).encode())))
    with open(os.path.join(folder, "lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(address):
            start_server(address, run, words)
    server = socket.socket(socket.AF_UNIX)
    server.connect(address)
    return server


def start_server(address: str, run: str, words: list[str]) -> None:
    """The server has a session of its own, so that no signal to a call reaches it or its other forks."""
    import subprocess  # only the first call needs it

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.py")
        command = [sys.executable, file, str(listener.fileno()), run, *words]
        closed = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        subprocess.Popen(command, start_new_session=True, pass_fds=[listener.fileno()], **closed)


def main(folder: str, run: str, *words: str) -> None:
    process, ignored = 0, [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
    if not any(word.startswith("train.memory=") for word in words):  # its choice counts the memory at the start
        with suppress(OSError):
            process, answers = ask(connect(folder, run, [*words]), [*words], ignored)
    if not process:
        os.execv(sys.executable, [sys.executable, *words])

    def pass_on(number: int, frame: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(process, number)

    for number in set(SIGNALS).difference(ignored):
        signal.signal(number, pass_on)
    sys.exit(int(answers.readline() or 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
