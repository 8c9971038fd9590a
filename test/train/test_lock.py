"""A second training in a folder is refused; a first one that was killed, on any host, does not block it."""

import os
import signal
import time

import pytest
from toys import Child, kill, train_child, train_here, wait_for

from sure.errors import SureError
from sure.train import lock as locks
from sure.train.lock import lock

HERE = os.uname().nodename


def test_the_first_training_is_named_and_once_killed_forgotten(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "RENEW_SECONDS", 0.1)
    exp = tmp_path / "exp"
    child = train_child(corpus, exp, train__epochs=1000)
    refused = pytest.raises(SureError, match=f"process {child.process} on {HERE} is training here")
    try:
        wait_for(exp / "metrics.jsonl", child)
        with refused:
            train_here(corpus, exp, train__epochs=1000)
        with monkeypatch.context() as elsewhere, refused:  # a file system that does not pass locks on
            elsewhere.setattr(locks.fcntl, "lockf", lambda *_: None)
            elsewhere.setattr(locks.socket, "gethostname", lambda: "another-host")
            with lock(exp):
                pass
    finally:
        kill(signal.SIGKILL, child)
    with lock(exp):
        pass
    assert (exp / ".lock").read_text() == ""


def test_killed_on_another_host(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "WATCH_SECONDS", 1.0)
    (tmp_path / ".lock").write_text("process 12 on another-host\n")
    with lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"process {os.getpid()} on {HERE}\n"


def test_processes_started_by_a_training_do_not_hold_its_lock(tmp_path):
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
