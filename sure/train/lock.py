"""A lock that allows one training per folder, names its holder, and ends with the process.

The kernel's POSIX lock decides; NFS passes it on to other hosts. Where the lock is free but `.lock` still names a
process of another host, that process was killed, or the file system does not pass locks on. Then the modification time
of `.lock` decides: a running training renews it every few seconds.
"""

import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from sure.errors import SureError

log = logging.getLogger(__name__)

RENEW_SECONDS = 5.0
WATCH_SECONDS = 30.0  # a training on another host that does not renew its lock for so long counts as dead


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`. Raises SureError naming process and host of the training that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a+", encoding="utf-8", errors="replace") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise SureError(
                f"{folder}: {_holder(file) or 'another process'} is training here; wait until it ends, or stop it"
            ) from None
        _check_other_host(folder, file)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        ended = threading.Event()
        threading.Thread(target=_renew, args=(folder / ".lock", ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            with suppress(OSError):
                file.truncate(0)


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip()


def _check_other_host(folder: Path, file: TextIO) -> None:
    holder = _holder(file)
    if not holder or holder.endswith(f" on {socket.gethostname()}"):
        return  # on this host a free lock means that its holder has ended
    log.warning("%s: locked by %s; waiting %.0f s to see whether it is running", folder, holder, WATCH_SECONDS)
    before, end = os.fstat(file.fileno()).st_mtime_ns, time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end:
        time.sleep(min(1.0, WATCH_SECONDS))
        if os.stat(folder / ".lock").st_mtime_ns != before:
            raise SureError(f"{folder}: {holder} is training here; wait until it ends, or stop it")


def _renew(path: Path, ended: threading.Event) -> None:
    while not ended.wait(RENEW_SECONDS):
        with suppress(OSError):
            os.utime(path)
