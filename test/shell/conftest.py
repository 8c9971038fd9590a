"""The small project of the shell tests, and a Slurm for those of its launcher."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster, Launcher, running_cluster
from small_project import Project, until


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "a b")


@pytest.fixture(scope="session")
def done_before(tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("done before") / "a b")
    assert project.run("--petl", "lora").status == 0
    return project


@pytest.fixture
def finished(done_before: Project, tmp_path: Path) -> Project:
    """A project in which `run.sh --petl lora` has finished; it was moved since, as marks allow."""
    return Project(tmp_path / "a b", like=done_before)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as running:
        yield running


@pytest.fixture
def local(project: Project, tmp_path: Path) -> Launcher:
    return Launcher("local", project, tmp_path / "it's %j")


@pytest.fixture
def slurm(project: Project, tmp_path: Path, cluster: Cluster) -> Iterator[Launcher]:
    launcher = Launcher("slurm", project, tmp_path / "it's %j", cluster)
    yield launcher
    until(lambda: cluster.queue() == [])
    assert [path for path in launcher.folder.rglob(".*") if path.name.endswith(".slurm")] == []


@pytest.fixture(params=["local", "slurm"])
def launcher(request: pytest.FixtureRequest) -> Launcher:
    return request.getfixturevalue(request.param)
