"""Times of words: the attention is transformers', the path is the best one, the words are those of the text."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from recognizer_toy import START, TIME, memory, recognizers, settings
from transformers.modeling_outputs import BaseModelOutput

from sure.backbones.whisper_recognizer import Recognizer
from sure.frames import Frames
from sure.generation.windows import transcribe
from sure.generation.word_times import alignment_matrix, best_path, recorded_attention, token_starts, word_times
from sure.text.recognizer_tokens import RecognizerTokens

BYTES = RecognizerTokens.bytes(["en"])


def test_attention_is_that_of_transformers():
    ours, theirs = recognizers()
    values, frames = memory(2)
    read = torch.tensor([[START, 42, 45, 1, 2, 8], [START, 42, 45, 30, 2, 9]])
    theirs.set_attn_implementation("eager")
    with torch.no_grad(), recorded_attention(ours) as recorded:
        ours.decode(read, values, frames)
        found = theirs(decoder_input_ids=read, encoder_outputs=BaseModelOutput(values), output_attentions=True)
    theirs.set_attn_implementation("sdpa")
    chosen = [(0, 3), (1, 0)]
    expected = torch.stack([found.cross_attentions[layer][:, head] for layer, head in chosen], 1)
    torch.testing.assert_close(recorded.weights(chosen, frames), expected, atol=1e-4, rtol=1e-3)
    assert recorded.weights([], frames).shape == (2, 4, 6, TIME)  # all heads of the upper layer


def every_path(tokens, frames):
    """All sequences of (token, frame) from first to last."""
    for count in range(max(tokens, frames) - 1, tokens + frames - 1):
        for steps in itertools.product([(1, 1), (1, 0), (0, 1)], repeat=count):
            places = [(0, 0)]
            for step in steps:
                places.append((places[-1][0] + step[0], places[-1][1] + step[1]))
            if places[-1] == (tokens - 1, frames - 1):
                yield places


@pytest.mark.parametrize(("tokens", "frames"), [(3, 4), (4, 3), (1, 4), (3, 1), (1, 1)])
def test_the_path_has_the_largest_sum(tokens, frames):
    matrix = np.random.default_rng(0).normal(size=(tokens, frames))
    best = max(sum(matrix[place] for place in path) for path in every_path(tokens, frames))
    assert sum(matrix[place] for place in best_path(matrix)) == pytest.approx(best)


def test_tokens_start_where_attention_moves():
    """Attention to 10, 12 and 14 frames in turn, with one frame of noise, which the filter removes."""
    weights = torch.full((2, 3, 36), 0.01)
    for token, (start, end) in enumerate([(0, 10), (10, 22), (22, 36)]):
        weights[:, token, start:end] = 1.0
    weights[:, 2, 15] = 3.0
    assert token_starts(alignment_matrix(weights).numpy()) == [0, 10, 22]


@pytest.fixture(scope="module")
def backbone():
    return Recognizer.from_weights("random:toy", vocabulary=BYTES.size, positions=100, max_tokens=60).eval()


def test_words_are_those_of_the_text_in_order_and_alone_as_in_a_batch(backbone):
    texts = [BYTES.encode("one señor two"), [], BYTES.encode("a")]
    values = torch.randn(3, 100, 32, generator=torch.Generator().manual_seed(0))
    frames, prompts = [100, 60, 40], torch.tensor([BYTES.prompt("en")] * 3)

    def times(rows):
        given = values[rows], Frames([frames[row] for row in rows], 100)
        picked = [texts[row] for row in rows], [frames[row] * 0.02 for row in rows]
        return word_times(backbone, *given, prompts[rows], *picked, BYTES)

    found = times([0, 1, 2])
    assert [[one.word for one in words] for words in found] == [["one", "señor", "two"], [], ["a"]]
    for words, count in zip(found, frames, strict=True):
        starts = [one.start for one in words]
        assert starts == sorted(starts) and all(one.duration >= 0 and 0 <= one.confidence <= 1 for one in words)
        assert all(one.start + one.duration <= count * 0.02 for one in words)
    for row in range(3):
        alone = times([row])[0]
        assert [(one.word, one.start, one.duration) for one in alone] == [
            (one.word, one.start, one.duration) for one in found[row]
        ]


def test_words_of_a_long_recording_are_inside_their_segments(backbone, monkeypatch):
    answers = iter([BYTES.encode("first words"), BYTES.encode("then more words")])
    monkeypatch.setattr(
        "sure.generation.windows.generate",
        lambda *given: [[SimpleNamespace(tokens=next(answers))] for _ in given[3]],
    )
    wave = torch.randn(48000, generator=torch.Generator().manual_seed(2))
    (found,) = transcribe(backbone, [wave], BYTES, settings(), "en", words=True)
    assert [[word.word for word in one.words] for one in found.segments] == [
        ["first", "words"],
        ["then", "more", "words"],
    ]
    for one in found.segments:
        assert all(one.start <= word.start <= one.end + 0.02 for word in one.words)
