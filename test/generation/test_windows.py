"""Windows over long recordings: segments by timestamps, parts at pauses, languages."""

from types import SimpleNamespace

import pytest
import torch
from recognizer_toy import settings

from sure.backbones.whisper_recognizer import Recognizer
from sure.generation.transcript import split_at_timestamps
from sure.generation.windows import transcribe
from sure.text.recognizer_tokens import RecognizerTokens

RATE = 16000
TOKENS = RecognizerTokens.bytes(["en", "es"])


def times(*parts):
    """Ids of a text: numbers are timestamps."""
    found = []
    for part in parts:
        found += TOKENS.encode(part) if isinstance(part, str) else [TOKENS.timestamps + round(part / 0.02)]
    return found


@pytest.mark.parametrize(
    ("parts", "segments", "complete"),
    [
        ((0.0, "a", 2.0, 2.0, "b", 5.0, 5.0, "c"), [(0.0, 2.0, "a"), (2.0, 5.0, "b")], 5.0),  # c comes again
        ((0.0, "a", 2.0, 2.4, "b", 5.0), [(0.0, 2.0, "a"), (2.4, 5.0, "b")], 10.0),  # silence after 5.0
        ((1.0, "a", 4.0), [(1.0, 4.0, "a")], 10.0),
        ((0.0, "a"), [(0.0, 10.0, "a")], 10.0),
        (("a",), [(0.0, 10.0, "a")], 10.0),  # not even a first timestamp
        ((0.0, "a", 2.0, 2.0), [(0.0, 2.0, "a")], 2.0),
        ((), [(0.0, 10.0, "")], 10.0),
    ],
)
def test_segments_of_a_window(parts, segments, complete):
    found, end = split_at_timestamps(times(*parts), 10.0, TOKENS)
    assert [(start, stop, TOKENS.decode(ids)) for start, stop, ids in found] == segments
    assert end == complete


@pytest.fixture(scope="module")
def backbone():
    """A random recogniser of 2 s."""
    return Recognizer.from_weights("random:toy", vocabulary=TOKENS.size, positions=100, max_tokens=14).eval()


class Script:
    """Replaces `generate`: records the windows, and answers with the next text."""

    def __init__(self, texts):
        self.texts, self.prompts, self.sizes = iter(texts), [], []

    def __call__(self, backbone, memory, frames, prompts, settings, tokens):
        self.prompts += prompts.tolist()
        self.sizes += frames.lengths.tolist()
        return [[SimpleNamespace(tokens=next(self.texts))] for _ in memory]


def wave(seconds):
    return torch.randn(round(seconds * RATE), generator=torch.Generator().manual_seed(1)) / 10


def test_a_window_begins_where_the_last_complete_segment_ended(backbone, monkeypatch):
    script = Script([times(0.0, "a", 1.4, 1.4, "half"), times(0.0, "whole", 1.9), times(0.2, "last", 0.6)])
    monkeypatch.setattr("sure.generation.windows.generate", script)
    (found,) = transcribe(backbone, [wave(4.2)], TOKENS, settings(timestamps=True), "en")
    assert found.text == "a whole last" and found.language == "en"
    assert [one.start for one in found.segments] == pytest.approx([0.0, 1.4, 3.6])
    assert [one.end for one in found.segments] == pytest.approx([1.4, 3.3, 4.0])
    assert script.sizes == [100, 100, 40]  # of 20 ms: 0 to 2, 1.4 to 3.4, 3.4 to 4.2 s
    assert script.prompts[0] == TOKENS.prompt("en", "transcribe", True)


def test_without_timestamps_parts_are_joined_in_order(backbone, monkeypatch):
    spoken = wave(5.0)
    for pause in (1.5, 3.15):
        spoken[round(pause * RATE) : round((pause + 0.3) * RATE)] = 0
    script = Script(map(TOKENS.encode, ["first", "short", "second", "third"]))
    monkeypatch.setattr("sure.generation.windows.generate", script)
    long, short = transcribe(backbone, [spoken, wave(1.75)], TOKENS, settings(), "es")
    assert (long.text, short.text) == ("first second third", "short")
    assert [one.end for one in long.segments] == pytest.approx([1.65, 3.3, 5.0], abs=0.12)
    assert [one.start for one in long.segments] == [0.0, *(one.end for one in long.segments[:-1])]


def test_transcripts_do_not_depend_on_the_other_recordings(backbone):
    waves = [wave(3.0), wave(1.0).flip(0), wave(2.5)]
    for chosen in (settings(), settings(timestamps=True)):
        together = transcribe(backbone, waves, TOKENS, chosen)
        alone = [transcribe(backbone, [one], TOKENS, chosen, windows=1)[0] for one in waves]
        assert [one.text for one in together] == [one.text for one in alone]
        assert {one.language for one in together} <= {"en", "es"}
