"""A second training in a folder is refused; a first one that was killed, on any host, does not block it."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from toys import Child, kill, wait_for

from sure.errors import SureError
from sure.train import lock as locks
from sure.train.lock import lock

ELSEWHERE = "process 12 on another-host\n"


@pytest.fixture
def watched(monkeypatch):
    monkeypatch.setattr(locks, "WATCH_SECONDS", 1.5)


def hold(folder):
    with lock(folder):
        (folder / "held").touch()
        time.sleep(1000)


def held_by_child(folder) -> Child:
    child = Child(lambda: hold(folder), folder.with_suffix(".stderr"))
    wait_for(folder / "held", child)
    return child


def test_the_first_is_named_and_once_killed_forgotten(tmp_path):
    child = held_by_child(tmp_path / "exp")
    with pytest.raises(SureError, match=f"process {child.process} on {os.uname().nodename} is training here"):
        with lock(tmp_path / "exp"):
            pass
    kill(signal.SIGKILL, child)
    with lock(tmp_path / "exp"):
        pass
    assert (tmp_path / "exp" / ".lock").read_text() == ""


def test_what_it_started_does_not_hold_the_lock(tmp_path):
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


def test_killed_on_another_host(tmp_path, watched):
    (tmp_path / ".lock").write_text(ELSEWHERE)
    with lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"process {os.getpid()} on {os.uname().nodename}\n"


def test_alive_on_another_host_whose_lock_is_not_seen(tmp_path, watched):
    (tmp_path / ".lock").write_text(ELSEWHERE)
    ended = threading.Event()

    def live():
        while not ended.wait(0.1):
            os.utime(tmp_path / ".lock")

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with pytest.raises(SureError, match="process 12 on another-host is training here"):
            with lock(tmp_path):
                pass
    finally:
        ended.set()
        thread.join()


def test_it_shows_that_it_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "RENEW_SECONDS", 0.01)
    with lock(tmp_path):
        before = os.stat(tmp_path / ".lock").st_mtime_ns
        while os.stat(tmp_path / ".lock").st_mtime_ns == before:
            time.sleep(0.01)
