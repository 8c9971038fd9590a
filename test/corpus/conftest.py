"""A file server for the corpus tests."""

import pytest
from file_server import serve


@pytest.fixture
def server():
    with serve() as running:
        yield running
