"""CTC against sums and maxima over all paths: loss, greedy decoding, beam search, and alignment with times."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator

import pytest
import torch
import torchaudio.functional
from hypothesis import given, settings
from hypothesis import strategies as st

from sure import registry
from sure.backbones.tiny import MODELS
from sure.config_sections import DecodeConfig, TokenizerConfig
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.frames import Frames
from sure.tasks.alignment import TimedWord, align
from sure.tasks.beam_search import BeamSearch
from sure.text.ngram import estimate, sentence_score
from sure.text.slots import MARK
from sure.text.tokenizer import train_tokenizer

Task = registry.find("tasks", "asr")
TRAIN = [Utterance(id, "", text=text) for id, text in {"a": "abba", "b": "a cab", "c": "bac a"}.items()]
# By kind of tokens: training texts with few symbols, so that all paths can be listed, and frames to list them for.
TEXTS = {
    "character": ["ab a", "b ab"],
    "bpe": ["ab a", "b ab", "ab ab"],
    "unigram": ["ab a", "b ab", "ab ab"],
    "phone": ["AH B", "B AH K"],
    "slot": ["B-x a E-x b", "b a"],
}
FRAMES = {"character": 5, "bpe": 4, "unigram": 4, "phone": 5, "slot": 4}
TOKENIZERS = {kind: train_tokenizer(texts, kind, 6) for kind, texts in TEXTS.items()}
CHARACTERS = TOKENIZERS["character"]  # <blank> <space> a b
seeds = st.integers(0, 2**20)


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    Task.fit(TRAIN, folder, tokenizer=TokenizerConfig(), language="en")
    return Task(Task.Config(), folder, "en")


def collapse(path):
    """The tokens that a path of frames stands for, by definition."""
    return tuple(token for token, _ in itertools.groupby(path) if token)


def all_paths(logs: torch.Tensor) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every path of tokens over the frames, and its log probability."""
    rows = logs.double().tolist()
    for path in itertools.product(range(logs.shape[1]), repeat=len(rows)):
        yield path, sum(row[token] for row, token in zip(rows, path, strict=True))


def random_logs(seed: int, frames: int, size: int, sharpness: float = 2.0) -> torch.Tensor:
    return (sharpness * torch.randn(frames, size, generator=torch.Generator().manual_seed(seed))).log_softmax(-1)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, frames=st.lists(st.integers(0, 5), min_size=1, max_size=3), data=st.data())
def test_loss_is_that_of_all_paths_and_zero_where_nothing_fits(task, seed, frames, data):
    targets = [data.draw(st.lists(st.integers(1, 2), max_size=4)) for _ in frames]
    outputs = torch.randn(len(frames), 5, 3, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    tensors = [torch.tensor(target, dtype=torch.int64) for target in targets]
    losses, fits = task.loss(outputs, Frames(frames, 5), tensors), task.fits(torch.tensor(frames), tensors)
    assert losses.shape == fits.shape == (len(frames),)
    losses.sum().backward()
    for row, (size, target) in enumerate(zip(frames, targets, strict=True)):
        paths = all_paths(outputs[row, :size].detach().double().log_softmax(-1))
        probability = sum(math.exp(log) for path, log in paths if collapse(path) == tuple(target))
        assert bool(fits[row]) == (probability > 0)
        if fits[row]:
            assert losses[row].item() == pytest.approx(-math.log(probability) / max(1, len(target)), abs=1e-5)
        else:
            assert losses[row].item() == 0.0 and outputs.grad[row].abs().sum() == 0
        assert outputs.grad[row, size:].abs().sum() == 0


def test_loss_in_half_precision_is_computed_in_single_and_nan_is_not_hidden(task):
    torch.manual_seed(0)
    outputs, frames, targets = torch.randn(1, 40, task.tokenizer.size).bfloat16(), Frames([40]), [task.target(TRAIN[0])]
    loss = task.loss(outputs, frames, targets)
    assert loss.dtype == torch.float32 and loss == task.loss(outputs.float(), frames, targets)
    assert task.loss(outputs * float("nan"), frames, targets).isnan().all()


@settings(max_examples=30, deadline=None)
@given(seed=seeds, levels=st.integers(1, 4))
def test_greedy_decoding_equals_torchaudio_with_ties_to_the_lowest_id(task, seed, levels):
    generator, frames = torch.Generator().manual_seed(seed), [15, 6, 0]
    outputs = torch.randint(levels, (3, 15, task.tokenizer.size), generator=generator).float()
    for row, text in enumerate(task.decode(outputs, Frames(frames, 15))):
        path = [frame.index(max(frame)) for frame in outputs[row, : frames[row]].tolist()]
        spans = torchaudio.functional.merge_tokens(torch.tensor(path), torch.zeros(len(path)), blank=0)
        assert collapse(path) == tuple(span.token for span in spans)
        assert text == task.tokenizer.decode(collapse(path))


def test_unknown_characters_are_left_out_once_with_a_warning(task, caplog):
    for id in ("x", "y"):
        one = Utterance(id, "", text="bad cab")
        assert task.tokenizer.decode(task.target(one).tolist()) == "ba cab"
        assert task.reference(one) == "bad cab"  # so that scores count it
    assert [record.getMessage().split(" is")[0] for record in caplog.records] == ["x: 'd'"]
    with pytest.raises(SureError, match="utt-3.*'привет'.*tokenize"):
        task.target(Utterance("utt-3", "", text="привет"))


@pytest.mark.parametrize(("language", "score"), [
    ("zh", "cer"), ("cmn_hans_cn", "cer"), ("th", "cer"), ("en", "wer"), ("ko", "wer"), ("all", "wer"),
])  # fmt: skip
def test_models_of_languages_without_spaces_are_compared_by_cer(task, tmp_path, language, score):
    task.tokenizer.save(tmp_path)
    assert Task(Task.Config(), tmp_path, language).score_name == score


def exact(**changes) -> DecodeConfig:
    """Settings that leave nothing out."""
    given = {"method": "beam", "beam": 10**6, "margin": 1e9, "min_probability": 0, "weight": 0.0, "word_score": 0.0}
    return DecodeConfig(**given | changes)


@pytest.mark.parametrize("kind", TEXTS)
@settings(max_examples=8, deadline=None)
@given(seed=seeds, weight=st.sampled_from([0.0, 0.6]), word_score=st.sampled_from([-1.0, 0.0, 1.5]))
def test_the_text_with_the_best_score_of_all_and_of_those_with_allowed_words_is_found(kind, seed, weight, word_score):
    tokenizer, model = TOKENIZERS[kind], estimate([text.split() for text in TEXTS[kind]], 3)
    logs, texts = random_logs(seed, FRAMES[kind], tokenizer.size), defaultdict(float)
    for path, log in all_paths(logs):
        texts[tuple(tokenizer.decode(collapse(path)).split())] += math.exp(log)

    def score(words):
        unknown = sum(word not in model for word in words)
        return math.log(texts[words]) + weight * sentence_score(model, words) + word_score * len(words) - 2 * unknown

    ranked = sorted(texts, key=score, reverse=True)
    search = BeamSearch(tokenizer.pieces(), exact(weight=weight, word_score=word_score, unknown=-2.0), model)
    found = tuple(search.best(logs).split())
    assert found == ranked[0] or score(found) == pytest.approx(score(ranked[0]), abs=1e-9)
    words = {"ab", "b"}
    allowed = [text for text in texts if kind == "phone" or all(one in words or MARK.fullmatch(one) for one in text)]
    for lexicon, expected in ((None, texts), (words, allowed)):
        found = tuple(BeamSearch(tokenizer.pieces(), exact(), words=lexicon).best(logs).split())
        assert found in expected and texts[found] == pytest.approx(max(texts[text] for text in expected))


@settings(max_examples=20, deadline=None)
@given(seed=seeds, kind=st.sampled_from(list(TEXTS)))
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
    probabilities = torch.full((frames, CHARACTERS.size), others)
    probabilities[:, CHARACTERS.encode("a")] = 1.0
    search = BeamSearch(CHARACTERS.pieces(), exact(**changes), words=frozenset(words))
    assert search.best(probabilities.log().log_softmax(-1)) == ""


def test_long_utterances_do_not_underflow():
    logs = random_logs(3, 3000, CHARACTERS.size, sharpness=0.1)
    assert BeamSearch(CHARACTERS.pieces(), exact(beam=4)).best(logs)


CLOCK = STEP, FIRST = 0.02, 0.0025  # seconds between frames, and to the first one


@settings(max_examples=40, deadline=None)
@given(seed=seeds, frames=st.integers(0, 7), text=st.sampled_from("a|ab|aa|b a|a ba|ba b|".split("|")))
def test_words_have_the_times_of_the_likeliest_path_of_all(seed, frames, text):
    logs, tokens, pieces = random_logs(seed, frames, CHARACTERS.size, 1.0), CHARACTERS.encode(text), CHARACTERS.pieces()
    fitting = [(log, path) for path, log in all_paths(logs) if collapse(path) == tuple(tokens)]
    if not fitting:
        with pytest.raises(SureError, match=f"{len(tokens)} tokens need .* frames, there are {frames}"):
            align(logs, tokens, pieces, CLOCK)
        return
    path = max(fitting)[1]
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
    assert align(logs, tokens, pieces, CLOCK) == expected


@pytest.mark.parametrize("kind", TEXTS)
def test_words_of_every_kind_of_tokens(kind):
    tokenizer = TOKENIZERS[kind]
    for text in TEXTS[kind]:
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
