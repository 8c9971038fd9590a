"""Fixtures of the tests of scores."""

import pytest
from published import fetch_speech


@pytest.fixture(scope="session")
def downloads(request):
    return request.config.cache.mkdir("downloads")


@pytest.fixture(scope="session")
def speech(downloads):
    """A file of real speech, 10 s at 16 kHz."""
    return fetch_speech(downloads)
