"""Fixtures of the tests of scores."""

import importlib.util
import sys

import pytest
from published import fetch_speech

from sure.score.synthesis import recogniser, speaker_encoder


@pytest.fixture(scope="session")
def downloads(request):
    return request.config.cache.mkdir("downloads")


@pytest.fixture(scope="session")
def speech(downloads):
    """A file of real speech, 10 s at 16 kHz."""
    return fetch_speech(downloads)


@pytest.fixture
def without_judges(monkeypatch):
    """The packages of the recogniser and of the speaker encoder are not installed."""
    find = importlib.util.find_spec
    monkeypatch.setitem(sys.modules, "moonshine_voice.transcriber", None)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "resemblyzer" else find(name, *more)
    )
    recogniser._load.cache_clear()
    speaker_encoder.installed_weights.cache_clear()
