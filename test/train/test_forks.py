"""Trainings in forks of one process, with the frozen weights of the first (sure/forks)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import toys

from sure.backbones import tiny
from sure.config import load_config
from sure.models import build

ROOT = Path(__file__).resolve().parents[2]
METHODS = {"full": {}, "lora": {"rank": 2, "dropout": 0.1}}


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    tiny.Family.from_weights("random:moonshine").save(path)
    return path


@pytest.mark.slow
def test_each_has_the_numbers_of_a_training_alone(tmp_path, corpus, weights):
    """The second follows one that trains the frozen weights; it is stopped after an epoch, and a wrong call follows."""
    client = [sys.executable, "-S", str(ROOT / "sure/forks/client.py"), str(tmp_path), str(os.getpid())]
    backbone = {"name": "moonshine", "weights": str(weights)}
    variables = os.environ | {"PYTHONPATH": str(ROOT)}

    def in_fork(name: str, *more: str) -> subprocess.CompletedProcess:
        given = {"petl": {"name": name, **METHODS[name]}, "backbone": backbone}
        words = toys.train_arguments(corpus, tmp_path / name, **given)
        return subprocess.run([*client, "-m", "sure.bin.train", *words, *more], env=variables, capture_output=True)

    assert [in_fork("full").returncode, in_fork("lora", "--part", "1/3").returncode] == [0, 0]
    assert (in_fork("lora", "petl.rank=0").returncode, in_fork("lora").returncode) == (2, 0)
    for name, settings in METHODS.items():
        given = {"petl": {"name": name, **settings}, "backbone": backbone}
        alone = toys.train_here(corpus, tmp_path / "alone" / name, **given)
        toys.assert_same(tmp_path / name, alone)


def test_loaded_weights_are_those_of_one_model_and_of_the_file_as_it_is(tmp_path, corpus, weights):
    path = toys.write_config(corpus, tmp_path / "c.yaml", backbone={"name": "moonshine", "weights": str(weights)})
    config = load_config(path)
    task = build.build_task(config)
    build.preload(config)
    first, second = build.build_backbone(config, task), build.build_backbone(config, task)
    assert first is not second and first.sha256 == second.sha256
    build.preload(config)
    tiny.Family.from_weights("random:moonshine", seed=2).save(weights)
    assert build.build_backbone(config, task).sha256 != first.sha256
