"""Beam search against sums over all paths and all texts, with allowed words, and pruned."""

import itertools
import math
from collections import defaultdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sure.config_sections import DecodeConfig
from sure.tasks.beam_search import BeamSearch
from sure.text.ngram import estimate, sentence_score
from sure.text.slots import MARK
from sure.text.tokenizer import train_tokenizer

# By kind of tokens: training texts with few symbols, so that all paths can be listed, and frames to list them for.
TEXTS = {
    "character": ["ab a", "b ab"],
    "bpe": ["ab a", "b ab", "ab ab"],
    "unigram": ["ab a", "b ab", "ab ab"],
    "phone": ["AH B", "B AH K"],
    "slot": ["B-x a E-x b", "b a"],
}
FRAMES = {"character": 5, "bpe": 4, "unigram": 4, "phone": 5, "slot": 4}
SIZES = {"bpe": 6, "unigram": 6}
TOKENIZERS = {kind: train_tokenizer(texts, kind, SIZES.get(kind)) for kind, texts in TEXTS.items()}


def exact(**changes) -> DecodeConfig:
    """Settings that leave nothing out."""
    given = {"method": "beam", "beam": 10**6, "margin": 1e9, "min_probability": 0, "weight": 0.0, "word_score": 0.0}
    return DecodeConfig(**given | changes)


def outputs(kind: str, seed: int, frames: int = 0, sharpness: float = 2.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = frames or FRAMES[kind], TOKENIZERS[kind].size
    return (sharpness * torch.randn(shape, generator=generator)).log_softmax(-1)


def all_texts(kind: str, logs: torch.Tensor) -> dict[tuple[str, ...], float]:
    """The probability of every text: the sum over all paths of frames that stand for it, by definition."""
    found: dict[tuple[str, ...], float] = defaultdict(float)
    rows = logs.double().exp().tolist()
    for path in itertools.product(range(logs.shape[1]), repeat=len(rows)):
        tokens = [token for token, _ in itertools.groupby(path) if token]
        words = tuple(TOKENIZERS[kind].decode(tokens).split())
        found[words] += math.prod(row[token] for row, token in zip(rows, path, strict=True))
    return found


@pytest.mark.parametrize("kind", TEXTS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**20), weight=st.sampled_from([0.0, 0.6]), word_score=st.sampled_from([-1.0, 0.0, 1.5]))
def test_the_text_with_the_best_score_of_all_and_of_those_with_allowed_words_is_found(kind, seed, weight, word_score):
    logs, model = outputs(kind, seed), estimate([text.split() for text in TEXTS[kind]], 3)
    texts = all_texts(kind, logs)

    def score(words):
        unknown = sum(word not in model for word in words)
        return math.log(texts[words]) + weight * sentence_score(model, words) + word_score * len(words) - 2 * unknown

    ranked = sorted(texts, key=score, reverse=True)
    search = BeamSearch(TOKENIZERS[kind].pieces(), exact(weight=weight, word_score=word_score, unknown=-2.0), model)
    found = tuple(search.best(logs).split())
    assert found == ranked[0] or score(found) == pytest.approx(score(ranked[0]), abs=1e-9)
    words = {"ab", "b"}
    allowed = [text for text in texts if kind == "phone" or all(one in words or MARK.fullmatch(one) for one in text)]
    for lexicon, expected in ((None, texts), (words, allowed)):
        found = tuple(BeamSearch(TOKENIZERS[kind].pieces(), exact(), words=lexicon).best(logs).split())
        assert found in expected and texts[found] == pytest.approx(max(texts[text] for text in expected))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**20), kind=st.sampled_from(list(TEXTS)))
def test_sharp_outputs_decode_as_greedily(seed, kind):
    tokenizer, generator = TOKENIZERS[kind], torch.Generator().manual_seed(seed)
    path = torch.randint(tokenizer.size, (40,), generator=generator)
    noise = torch.randn(40, tokenizer.size, generator=generator)
    logs = (30 * torch.nn.functional.one_hot(path, tokenizer.size) + noise).log_softmax(-1)
    search = BeamSearch(tokenizer.pieces(), DecodeConfig(method="beam", weight=0.0, word_score=0.0))
    assert search.best(logs) == tokenizer.decode(torch.unique_consecutive(path).tolist())


@pytest.mark.parametrize(("words", "frames", "others", "changes"), [
    ((), 5, 1.0, {}),  # no word is allowed
    (["ab"], 3, 1e-9, {"beam": 1, "min_probability": 0.1}),  # the beam ends inside the only allowed word
    (["b"], 2, 0.0, {}),  # only `a` is possible
    (["b"], 0, 0.0, {}),
])  # fmt: skip
def test_no_allowed_text_is_an_empty_text(words, frames, others, changes):
    """Outputs with `a` in every frame."""
    tokenizer = TOKENIZERS["character"]
    probabilities = torch.full((frames, tokenizer.size), others)
    probabilities[:, tokenizer.encode("a")] = 1.0
    search = BeamSearch(tokenizer.pieces(), exact(**changes), words=frozenset(words))
    assert search.best(probabilities.log().log_softmax(-1)) == ""


def test_long_utterances_do_not_underflow():
    tokenizer = TOKENIZERS["character"]
    logs = outputs("character", 3, frames=3000, sharpness=0.1)
    assert BeamSearch(tokenizer.pieces(), exact(beam=4)).best(logs)
