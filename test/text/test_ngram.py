"""N-gram models compared with the published recursion, kenlm, and sums over the vocabulary."""

from __future__ import annotations

import itertools
import math
import random
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sure.bin import ngram
from sure.errors import SureError
from sure.text.arpa import Kenlm, format_arpa, load_model, read_arpa
from sure.text.ngram import BEGIN, END, FALLBACK, UNKNOWN, estimate, perplexity, sentence_score

SIZE = 300  # vocabulary size of `zipf`
WORDS = ["a", "b", "ab", "ñu", "еще"]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=12).filter(any)


def zipf(count: int, seed: int) -> list[list[str]]:
    """Sentences of words with Zipf frequencies that depend on the word before."""
    generator = random.Random(seed)
    words = [f"w{rank}" for rank in range(SIZE)]
    weights = [1 / (rank + 1) for rank in range(SIZE)]
    sentences = []
    for _ in range(count):
        sentence = [generator.choices(words, weights)[0]]
        while generator.random() < 0.85:
            after = (words.index(sentence[-1]) * 7 + 1) % SIZE
            sentence.append(generator.choices([words[after], *words], [6, *weights])[0])
        sentences.append(sentence)
    return sentences


def published(sentences, order):
    """p(word, context) by the recursion of Chen and Goodman (1998), section 4.1.6, with counts in each call."""
    padded = [[BEGIN, *words, END] for words in sentences]
    occurrences = [
        (tuple(s[place - size + 1 : place + 1]), tuple(s[:place]))
        for s in padded
        for size in range(1, order + 1)
        for place in range(max(1, size - 1), len(s))
    ]

    def count(gram):
        here = [before for found, before in occurrences if found == gram]
        if len(gram) == order or gram[0] == BEGIN:
            return len(here)
        return len({before[-len(gram)] for before in here})  # different preceding words

    grams = {gram: count(gram) for gram in {gram for gram, _ in occurrences}}
    vocabulary = {gram[0] for gram in grams if len(gram) == 1} | {UNKNOWN}

    def discount(size, number):
        n = [sum(len(gram) == size and found == k for gram, found in grams.items()) for k in range(5)]
        if not all(n[1:4]):
            return FALLBACK[min(number, 3) - 1]
        y = n[1] / (n[1] + 2 * n[2])
        found = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
        return (found if all(0 < d <= k for k, d in enumerate(found, 1)) else FALLBACK)[min(number, 3) - 1]

    def probability(word, context):
        context = tuple(context)[-(order - 1) :] if order > 1 else ()
        followers = {gram[-1]: found for gram, found in grams.items() if gram[:-1] == context}
        if not context:
            lower = 1 / len(vocabulary)
        else:
            lower = probability(word, context[1:])
        if not followers:
            return lower
        total, size = sum(followers.values()), len(context) + 1
        taken = sum(discount(size, found) for found in followers.values())
        own = followers[word] - discount(size, followers[word]) if word in followers else 0
        return own / total + taken / total * lower

    return probability, vocabulary


@settings(max_examples=40, deadline=None)
@given(texts, st.integers(1, 4), st.lists(st.sampled_from([*WORDS, "other"]), max_size=5))
def test_probabilities_equal_the_published_recursion(sentences, order, words):
    model = estimate(sentences, order)
    probability, _ = published(sentences, model.order)
    known = [word if word in model else UNKNOWN for word in words]
    expected = sum(math.log(probability(w, [BEGIN, *known[:place]])) for place, w in enumerate([*known, END]))
    assert sentence_score(model, words) == pytest.approx(expected)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_with_estimated_discounts_equal_the_published_recursion(order):
    sentences = zipf(120, seed=1)
    model = estimate(sentences, order)
    assert len(model.discounts) == order and model.discounts.count(FALLBACK) <= order // 4
    probability, _ = published(sentences, order)
    for words in zipf(3, seed=2):
        known = [word if word in model else UNKNOWN for word in words]
        expected = sum(math.log(probability(w, [BEGIN, *known[:place]])) for place, w in enumerate([*known, END]))
        assert sentence_score(model, words) == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(texts, st.integers(1, 4))
def test_probabilities_sum_to_one_in_every_context(sentences, order):
    model = estimate(sentences, order)
    vocabulary = [*model.words(), END, UNKNOWN]
    for context in itertools.product([BEGIN, *model.words(), UNKNOWN], repeat=min(2, model.order - 1)):
        total = sum(math.exp(model.score(context, word)[0]) for word in vocabulary)
        assert total == pytest.approx(1.0)


def test_a_worked_example():
    """One sentence by hand: p(a) = (1 - .5) / 2 + .5 * 2 / 2 / 3 with the fallback discounts."""
    model = estimate([["a"]], 1)
    assert model.discounts == [FALLBACK]
    for word, expected in (("a", 0.25 + 0.5 / 3), (END, 0.25 + 0.5 / 3), ("b", 0.5 / 3)):
        assert math.exp(model.score((), word)[0]) == pytest.approx(expected)


def test_more_context_lowers_perplexity():
    """Half of the words depend on the word before; unigrams are as good as add-one smoothing."""
    train, test = zipf(1500, seed=1), zipf(200, seed=2)
    by_order = [perplexity(estimate(train, order), test) for order in (1, 2, 3)]
    assert by_order[1] < 0.6 * by_order[0]
    counts = defaultdict(int)
    for sentence in train:
        for word in [*sentence, END]:
            counts[word] += 1
    total = sum(counts.values()) + SIZE + 2
    add_one = [-math.log((counts[word] + 1) / total) for sentence in test for word in [*sentence, END]]
    assert by_order[0] < 1.1 * math.exp(sum(add_one) / len(add_one))


def test_order_is_limited_by_the_longest_sentence():
    assert estimate([["a", "b"], ["c"]], 9).order == 4
    assert estimate([["a", "b"], []], 2).order == 2


@pytest.mark.parametrize("sentences", [[], [[]], [[], []]])
def test_no_words_are_an_error(sentences):
    with pytest.raises(SureError, match="no words"):
        estimate(sentences, 2)


@pytest.mark.parametrize("word", [BEGIN, END, UNKNOWN])
def test_reserved_words_are_errors(word):
    with pytest.raises(SureError, match=f"{word} in the text 'a {word}'"):
        estimate([["a", word]], 2)


@settings(max_examples=30, deadline=None)
@given(sentences=texts, order=st.integers(1, 4), words=st.lists(st.sampled_from([*WORDS, "other"]), max_size=5))
def test_model_survives_an_arpa_file(tmp_path_factory, sentences, order, words):
    model = estimate(sentences, order)
    path = tmp_path_factory.mktemp("arpa") / "model.arpa"
    path.write_text(format_arpa(model), encoding="utf-8")
    again = read_arpa(path)
    assert again.order == model.order and again.grams.keys() == model.grams.keys()
    assert sentence_score(again, words) == pytest.approx(sentence_score(model, words), abs=1e-5)
    assert format_arpa(estimate(reversed(sentences), order)) == format_arpa(model)


@pytest.mark.parametrize("order", [2, 3, 4])  # kenlm reads no unigram models
def test_scores_equal_kenlm(tmp_path, order):
    kenlm = pytest.importorskip("kenlm", reason="the extra kenlm is not installed; it needs a C++ compiler")
    path = tmp_path / "model.arpa"
    ngram.main(["--lines", *write(tmp_path, zipf(150, 1)), "--order", str(order), "--out", str(path)])
    theirs, ours, wrapped = kenlm.Model(str(path)), read_arpa(path), Kenlm(path)
    assert wrapped.words() is None and "w1" in wrapped and "other" not in wrapped
    for words in [*zipf(20, seed=3), [], ["other"], ["w1", "other", "w2", "w3"]]:
        score = math.log(10) * theirs.score(" ".join(words), bos=True, eos=True)
        assert sentence_score(ours, words) == pytest.approx(score, abs=1e-3)
        assert sentence_score(wrapped, words) == pytest.approx(score, abs=1e-4)


def write(folder, sentences):
    (folder / "lines.txt").write_text("".join(" ".join(words) + "\n" for words in sentences))
    return [str(folder / "lines.txt")]


def test_the_command(tmp_path, capsys):
    (tmp_path / "text").write_text("utt1 Hola, mundo\nutt2 HOLA\nutt3\n", encoding="utf-8")
    (tmp_path / "lines").write_text("hola hola\n", encoding="utf-8")
    out = tmp_path / "2.arpa.gz"
    common = ["--text", str(tmp_path / "text"), "--language", "es", "--order", "2"]
    ngram.main([*common, "--lines", str(tmp_path / "lines"), "--perplexity", str(tmp_path / "text"), "--out", str(out)])
    printed = capsys.readouterr().out
    expected = estimate([["hola", "mundo"], ["hola"], [], ["hola", "hola"]], 2)
    model, _ = load_model(out)
    assert model.words() == {"hola", "mundo"} and model.grams.keys() == expected.grams.keys()
    value = perplexity(expected, [["hola", "mundo"], ["hola"], []])
    assert f"perplexity {value:.2f} of" in printed and "2-grams, discounts 0.500 1.000 1.500 (defaults" in printed
    ngram.main([*common[:-1], "9", "--out", str(out)])
    assert "so this model has order 4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--order", "0"], "--order 0"),
        ([], "no lines"),
        (["--text", "nowhere"], "nowhere"),
        (["--lines", "nowhere"], "nowhere"),
    ],
)
def test_errors_of_the_command(tmp_path, arguments, words):
    with pytest.raises(SureError, match=words):
        ngram.main([*arguments, "--out", str(tmp_path / "x.arpa")])


GOOD = "\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t<s>\n-1\t</s>\n-1\ta\n\n\\end\\\n"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("-1\ta", "minus\ta", r"x.arpa:7: expected a line .*minus"),
        ("-1\ta", "-1\ta b c", r"x.arpa:7"),
        ("\\end\\", "", r"x.arpa ends without"),
        ("ngram 1=3", "ngram 1=4", r"x.arpa has \[3\] n-grams by order.*\[4\]"),
        ("</s>", "b", r"x.arpa lacks </s>"),
        ("ngram 1=3", "ngram one=3", r"x.arpa:2"),
    ],
)
def test_invalid_arpa_file(tmp_path, old, new, words):
    path = tmp_path / "x.arpa"
    path.write_text(GOOD)
    assert math.isclose(read_arpa(path).score((), "other")[0], -100 * math.log(10))
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(SureError, match=words):
        load_model(path)


def test_other_files_need_kenlm(tmp_path, monkeypatch):
    path = tmp_path / "x.bin"
    path.write_bytes(b"not a model")
    with pytest.raises(SureError, match=r"x.bin"):
        load_model(path)
    monkeypatch.setitem(__import__("sys").modules, "kenlm", None)
    with pytest.raises(SureError, match=r"x.bin is not an ARPA file.*pip install -e '.\[kenlm\]'"):
        load_model(path)
    with pytest.raises(SureError, match="nowhere"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(SureError, match="cut.gz"):
        load_model(tmp_path / "cut.gz")
