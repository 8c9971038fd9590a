"""A checkpoint survives kills, flipped bits, torn files and full disks."""

from __future__ import annotations

import hashlib
import logging
import pickle
import random
import signal
import subprocess
import time

import numpy as np
import pytest
import torch
from toys import Child, kill, read, wait_for

from sure.errors import SureError
from sure.train.checkpoint import MARK, Checkpoints
from sure.train.checkpoint_parts import RandomState
from sure.train.distributed import ALONE


def state(number: int, size: int = 1000) -> dict:
    return {"number": number, "tensor": torch.full((size,), float(number)), "list": [1.5, None, "x"]}


@pytest.fixture
def checkpoints(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    return Checkpoints(tmp_path / "checkpoints")


def test_the_last_saved_is_loaded(checkpoints):
    assert checkpoints.load() is None
    for number in (1, 2, 3):
        checkpoints.save(state(number))
        loaded, expected = checkpoints.load(), state(number)
        assert torch.equal(loaded.pop("tensor"), expected.pop("tensor"))
        assert loaded == expected


def test_one_that_was_written_and_not_renamed_is_the_newest(checkpoints):
    checkpoints.save(state(1))
    checkpoints.last.rename(checkpoints.next)
    assert checkpoints.load()["number"] == 1  # killed in the first save, between the renames
    checkpoints.save(state(2))
    checkpoints.last.rename(checkpoints.next)
    checkpoints.last.write_bytes(b"torn")
    assert checkpoints.load()["number"] == 2
    checkpoints.last.write_bytes(b"torn")
    assert checkpoints.load()["number"] == 1


def test_a_pickle_with_a_right_digest_is_refused(checkpoints):
    content = pickle.dumps(print)
    checkpoints.last.write_bytes(content + MARK + hashlib.sha256(content).hexdigest().encode())
    with pytest.raises(SureError, match="last.pt is not a checkpoint of a training"):
        checkpoints.load()


@pytest.mark.parametrize("damage", ["flipped", "torn", "empty", "longer"])
def test_a_damaged_file_is_not_used(checkpoints, caplog, damage):
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    content = bytearray(checkpoints.last.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    new = {"torn": content[:-100], "empty": b"", "longer": content + b"x"}.get(damage, content)
    checkpoints.last.write_bytes(new)
    with caplog.at_level(logging.WARNING):
        assert checkpoints.load()["number"] == 1
    assert "last.pt is damaged" in caplog.text
    # the next save does not replace the good one
    checkpoints.save(state(3))
    assert checkpoints.load()["number"] == 3
    checkpoints.last.write_bytes(b"")
    assert checkpoints.load()["number"] == 1


def test_nothing_whole_is_an_error_and_not_a_fresh_start(checkpoints):
    checkpoints.save(state(1))
    checkpoints.save(state(2))
    for path in (checkpoints.last, checkpoints.previous):
        path.write_bytes(path.read_bytes()[:-1])
    for _ in range(2):  # asking again does not help
        with pytest.raises(SureError, match="all checkpoints are damaged; train from the beginning with --restart"):
            checkpoints.load()


def test_killed_at_any_instant_leaves_a_whole_one(checkpoints, tmp_path):
    generator = random.Random(0)
    reached = tmp_path / "reached"

    def save_for_ever():
        number = (checkpoints.load() or {"number": 0})["number"]
        while True:
            number += 1
            checkpoints.save(state(number, 200_000))
            reached.write_text(str(number))

    for _ in range(15):
        before = read(reached)
        child = Child(save_for_ever, tmp_path / "stderr")
        wait_for(lambda before=before: read(reached) not in ("", before), child)
        time.sleep(generator.uniform(0.0, 0.05))
        assert kill(signal.SIGKILL, child) == [-signal.SIGKILL]
        promised = int(read(reached) or 0)
        loaded = checkpoints.load()
        assert (loaded or {"number": 0})["number"] >= promised
    assert checkpoints.load()["number"] > 10


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a tmpfs takes rights that this user does not have")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_really_full(small_disk):
    checkpoints = Checkpoints(small_disk / "checkpoints")
    checkpoints.save(state(1, 20_000))
    checkpoints.save(state(2, 20_000))
    with pytest.raises(SureError, match="No space left on device; the file that was there before is kept"):
        checkpoints.save(state(3, 40_000))
    assert sorted(path.name for path in (small_disk / "checkpoints").iterdir()) == ["last.pt", "previous.pt"]
    assert checkpoints.load()["number"] == 2
    checkpoints.save(state(3, 20_000))
    assert checkpoints.load()["number"] == 3


def test_random_numbers_go_on(checkpoints):
    state = RandomState(torch.device("cpu"), ALONE)
    state.seed(3)
    draw = lambda: (random.gauss(0, 1), np.random.randn(3).tolist(), torch.randn(3).tolist())  # noqa: E731
    draw()
    checkpoints.save({"random": state.state_dict()})
    expected = draw()
    state.seed(4)
    state.load_state_dict(checkpoints.load()["random"])
    assert draw() == expected
