"""The small project that the shell tests drive."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "a b"
    folder.mkdir()
    return Project(folder)
