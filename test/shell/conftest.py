"""The small project that the shell tests drive, and a Slurm for those of its launcher."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from slurm_cluster import Cluster, running_cluster
from small_project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "a b"
    folder.mkdir()
    return Project(folder)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as running:
        yield running
