"""The corpus of tones, made once."""

import pytest
import toys


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return toys.make_corpus(tmp_path_factory.mktemp("corpus of tones"))
