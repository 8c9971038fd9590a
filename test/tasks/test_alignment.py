"""Forced alignment against a search over all paths, and times against what the backbones see."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sure import registry
from sure.backbones.tiny import MODELS
from sure.errors import SureError
from sure.tasks.alignment import TimedWord, align
from sure.text.tokenizer import train_tokenizer

TOKENIZER = train_tokenizer(["ab a"], "character")  # <blank> <space> a b
PIECES = TOKENIZER.pieces()
CLOCK = STEP, FIRST = 0.02, 0.0025  # seconds between frames, and to the first one


def best_path(logs, tokens):
    """The likeliest of all paths that stand for the tokens."""
    paths = itertools.product(range(logs.shape[1]), repeat=len(logs))
    fitting = [path for path in paths if [token for token, _ in itertools.groupby(path) if token] == tokens]
    return max(fitting, key=lambda path: sum(logs[t, v].item() for t, v in enumerate(path)), default=None)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), frames=st.integers(0, 7), text=st.sampled_from("a|ab|aa|b a|a ba|ba b|".split("|")))
def test_the_likeliest_path_of_all(seed, frames, text):
    logs = torch.randn(frames, TOKENIZER.size, generator=torch.Generator().manual_seed(seed)).log_softmax(-1)
    tokens = TOKENIZER.encode(text)
    path = best_path(logs, tokens)
    if path is None:
        with pytest.raises(SureError, match=f"{len(tokens)} tokens need .* frames, there are {frames}"):
            align(logs, tokens, PIECES, CLOCK)
        return
    starts = [place for place in range(frames) if path[place] and (place == 0 or path[place] != path[place - 1])]
    expected, taken = [], 0
    for word in text.split():
        begin, last = starts[taken], starts[taken + len(word) - 1]
        end = next((place for place in range(last, frames) if path[place] != path[last]), frames)
        held = [place for place in range(begin, end) if path[place]]
        confidence = sum(logs[place, path[place]].exp().item() for place in held) / len(held)
        start, duration = pytest.approx(FIRST + STEP * begin), pytest.approx(STEP * (end - begin))
        expected.append(TimedWord(word, start, duration, pytest.approx(confidence, abs=1e-5)))
        taken += len(word) + 1  # and the space
    assert align(logs, tokens, PIECES, CLOCK) == expected


@pytest.mark.parametrize(("kind", "texts", "size"), [
    ("bpe", ["ab a", "b ab ab"], 7), ("phone", ["AH B", "B AH"], None), ("slot", ["B-x a E-x b", "ab b"], None),
])  # fmt: skip
def test_words_of_every_kind_of_tokens(kind, texts, size):
    tokenizer = train_tokenizer(texts, kind, size)
    for text in texts:
        tokens = tokenizer.encode(text)
        path = [one for token in tokens for one in (token, 0)]
        logs = (20 * torch.nn.functional.one_hot(torch.tensor(path), tokenizer.size).float()).log_softmax(-1)
        words = align(logs, tokens, tokenizer.pieces(), (1.0, 0.0))
        assert [one.word for one in words] == text.split()
        assert all(left.start + left.duration <= right.start for left, right in itertools.pairwise(words))
        assert all(one.confidence > 0.99 for one in words)


@pytest.mark.parametrize("family", sorted(MODELS))
def test_frames_begin_a_step_apart_and_lie_within_the_utterance(family):
    """From the definition of frame_count: which samples more give one frame more."""
    backbone = registry.find("backbones", "tiny").from_weights(f"random:{family}")
    (step, first), rate = backbone.frame_clock(), backbone.sample_rate
    counts = backbone.frame_count(torch.arange(2 * rate))
    more = torch.nonzero(counts.diff() > 0)[1:, 0]
    assert set(more.diff().tolist()) == {round(step * rate)}
    ends = first + step * counts
    assert bool((ends <= torch.arange(2 * rate) / rate + step / 2 + 1e-6)[counts > 0].all()) and 0 <= first < 2 * step
