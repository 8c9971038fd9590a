"""Toy bundles of several tasks on one backbone, and recordings."""

import io
import json

import numpy as np
import pytest
import soundfile
import speakers
from models import disturb, utterances, write_adapter

from sure import registry
from sure.config import make_config
from sure.models.build import build_model, build_task
from sure.petl.bundle import write_bundle
from sure.text.phonemize import Phonemizer

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


@pytest.fixture(scope="session")
def recognizers(tmp_path_factory):
    """Bundles of a small Whisper with its decoder, by task; translations have a few letters."""
    folder, found = tmp_path_factory.mktemp("recognizers"), {}
    for task, method in (("transcription", "lora"), ("translation", "bottleneck")):
        config = make_config(
            {
                "task": task,
                "data": {"train": "", "valid": ""},
                "tokenizer": {"folder": str(folder / "tokens")},
                "backbone": {"name": "whisper", "weights": "random:toy"},
                "petl": {"name": method},
                "decode": {"generation": {"max_tokens": 10}},
            },
            "test",
        )
        if not found:
            fit = registry.find("tasks", task).fit
            fit(utterances(task), folder / "tokens", tokenizer=config.tokenizer, language="en")
        model = build_model(config, build_task(config))
        disturb(model, 0.2)
        found[task] = folder / task
        write_bundle(found[task], model.bundle(config, folder / "tokens"))
    return found


@pytest.fixture(scope="session")
def voice(tmp_path_factory):
    """A bundle of a small synthesiser with two speakers, which knows one word."""
    folder = tmp_path_factory.mktemp("voice")
    phones = Phonemizer("en", {"word": "B D"}, known=list("BD"))
    phones.save(speakers.write_tokens(folder / "tokens") / "phonemizer.json")
    statistics = folder / "tokens" / "statistics.json"
    statistics.write_text(json.dumps({**json.loads(statistics.read_text()), "acoustic": {"mels": speakers.MELS}}))
    config, model = speakers.build(folder, "lora-modules")
    disturb(model)
    write_bundle(folder / "bundle", model.bundle(config, folder / "tokens"))
    return folder / "bundle"
