"""A checkpoint survives flipped bits and torn files; test_resume.py kills trainings while they write one."""

import logging
import random

import numpy as np
import pytest
import torch

from sure.errors import SureError
from sure.train.checkpoint import Checkpoints
from sure.train.checkpoint_parts import RandomState
from sure.train.distributed import ALONE


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints")


def test_one_that_was_written_and_not_renamed_is_the_newest(checkpoints):
    assert checkpoints.load() is None
    checkpoints.save({"number": 1})
    checkpoints.last.rename(checkpoints.next)
    assert checkpoints.load()["number"] == 1  # killed in the first save, between the renames
    checkpoints.save({"number": 2})
    checkpoints.last.rename(checkpoints.next)
    for expected in (2, 1):
        checkpoints.last.write_bytes(b"torn")
        assert checkpoints.load()["number"] == expected


DAMAGES = {
    "a flipped bit": lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:],
    "torn": lambda content: content[:-100],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"x",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_not_used(checkpoints, caplog, damage):
    checkpoints.save({"number": 1})
    checkpoints.save({"number": 2})
    checkpoints.last.write_bytes(DAMAGES[damage](checkpoints.last.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert checkpoints.load()["number"] == 1
    assert "last.pt is damaged" in caplog.text
    checkpoints.save({"number": 3})  # which does not replace the good one
    assert checkpoints.load()["number"] == 3
    checkpoints.last.write_bytes(b"")
    assert checkpoints.load()["number"] == 1
    checkpoints.previous.write_bytes(b"torn")
    for _ in range(2):  # the damaged files are renamed; nevertheless training never begins afresh
        with pytest.raises(SureError, match="all checkpoints are damaged; train from the beginning with --restart"):
            checkpoints.load()


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
