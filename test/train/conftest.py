"""The corpus of tones, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import toys


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return toys.make_corpus(tmp_path_factory.mktemp("corpus of tones"))
