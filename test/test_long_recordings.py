"""Recordings above the backbone's limit are cut at pauses; each task joins the results of the parts."""

from types import SimpleNamespace

import pytest
import torch

from sure.backbones.whisper import Family
from sure.inference import Sure
from sure.tasks import asr, language, verification
from sure.text.timed_word import TimedWord

RATE = 16000


@pytest.fixture
def sure():
    """A model whose results are durations: parts of 1.5, 1.6 and 1.5 s of the long recording, and 1.2 s alone."""
    backbone = Family.from_weights("random:toy", positions=100)
    loaded = Sure(backbone, "", torch.device("cpu"))
    loaded.models["it"], loaded.name = SimpleNamespace(encoder=backbone, backbone=backbone), "it"
    return loaded


@pytest.fixture
def recordings():
    noise = torch.randn(round(4.6 * RATE), generator=torch.Generator().manual_seed(0)) / 10
    for pause in (1.5, 3.1):
        noise[round((pause - 0.15) * RATE) : round((pause + 0.15) * RATE)] = 0
    return [noise, noise[: round(1.2 * RATE)]]


def use(sure, task, abilities=(), **results):
    """The results of a task, each computed from a duration in seconds."""
    for name, compute in results.items():
        setattr(sure.model, name, lambda waves, lengths, f=compute: [f(round(n / RATE, 1)) for n in lengths.tolist()])
    sure.model.task, sure.model.abilities = task.Task.__new__(task.Task), ("predict", *abilities)


def test_words_are_joined_and_timed_from_the_start(sure, recordings):
    def words(seconds):
        return [TimedWord("word", 0.5, 0.1, 1.0)]

    use(
        sure, asr, ["timings"], hypotheses=lambda seconds: f"{seconds:g} s" if seconds != 1.6 else "", timed_words=words
    )
    assert sure.predict(recordings) == ["1.5 s 1.5 s", "1.2 s"]
    starts = [[word.start for word in found] for found in sure.timings(recordings)]
    assert starts[0] == pytest.approx([0.5, 2.0, 3.6], abs=0.1) and starts[1] == [0.5]


def test_the_label_of_most_seconds_wins(sure, recordings):
    use(sure, language, hypotheses=lambda seconds: "es" if seconds == 1.5 else "en")
    assert sure.predict(recordings) == ["es", "en"]


def test_embeddings_are_averaged_by_duration(sure, recordings):
    def angle(seconds):
        return torch.tensor([1.0, 0.0]) if seconds == 1.6 else torch.tensor([0.0, 1.0])

    use(sure, verification, ["embed"], embeddings=angle, hypotheses=lambda seconds: "1 0" if seconds == 1.6 else "0 1")
    expected = torch.nn.functional.normalize(torch.tensor([[1.6, 3.0], [0.0, 1.0]]))
    torch.testing.assert_close(sure.embed(recordings), expected, atol=0.05, rtol=0)
    lines = [[float(number) for number in line.split()] for line in sure.predict(recordings)]
    torch.testing.assert_close(torch.tensor(lines), expected, atol=0.05, rtol=0)
