"""Toy bundles of several tasks on one backbone, and recordings."""

import io

import numpy as np
import pytest
import soundfile
from models import write_adapter

METHODS = {"asr": "lora", "language": "prefix", "verification": "weighted_sum", "slots": "bottleneck", "phoneme": "ssf"}


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """Folders by task, in one folder."""
    folder = tmp_path_factory.mktemp("bundles")
    return {task: write_adapter(folder, method, size=0.3, task=task) for task, method in METHODS.items()}


@pytest.fixture(scope="session")
def sounds():
    """Contents of WAV files of different durations."""
    generator = np.random.default_rng(3)
    return [content(0.1 * generator.standard_normal(samples)) for samples in (9000, 5600, 12000, 7000)]


def content(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format="WAV")
    return file.getvalue()
