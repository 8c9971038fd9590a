"""Reading ahead of the model: the same values in the same order, few of them, with the same errors."""

import os

import pytest
import torch

from sure.config_sections import TrainConfig
from sure.errors import SureError
from sure.models import loading
from sure.models.loading import AHEAD, ahead, worker_processes


def test_values_are_read_ahead_in_order_and_not_all_at_once():
    read = []
    values = ahead(read.append(number) or number for number in range(10))
    assert [next(values), next(values)] == [0, 1]
    values.close()  # waits for the thread
    assert read == list(range(2 + AHEAD - 1)) or read == list(range(2 + AHEAD))
    assert list(ahead(iter(range(5)))) == list(range(5)) and list(ahead(iter(()))) == []


def test_an_error_comes_where_its_value_is_needed():
    def values():
        yield 1
        raise SureError("the second one")

    found = ahead(values())
    assert next(found) == 1
    with pytest.raises(SureError, match="the second one"):
        next(found)


def test_auto_starts_processes_for_a_gpu_alone(monkeypatch):
    monkeypatch.setattr(loading.os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert worker_processes("auto", cpu) == 0 and worker_processes("3", cpu) == 3
    assert worker_processes("auto", gpu) == 8
    monkeypatch.setitem(os.environ, "LOCAL_WORLD_SIZE", "4")
    assert worker_processes("auto", gpu) == 3
    assert TrainConfig(workers=2).workers == "2" and TrainConfig().workers == "auto"
    with pytest.raises(ValueError):
        TrainConfig(workers=-1)
