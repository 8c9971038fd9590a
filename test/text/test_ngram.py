"""N-gram models compared with the published recursion and with kenlm."""

import math
import random
import sys
from collections import defaultdict
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sure.bin import ngram
from sure.errors import SureError
from sure.text.arpa import Kenlm, format_arpa, load_model, read_arpa
from sure.text.ngram import BEGIN, END, FALLBACK, UNKNOWN, estimate, perplexity, sentence_score

WORDS = ["a", "b", "ab", "ñu", "еще"]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=12).filter(any)


def zipf(count: int, seed: int) -> list[list[str]]:
    """Sentences whose words follow Zipf's law, so that discounts of all orders can be estimated."""
    generator, ranks = random.Random(seed), range(1, 301)
    weights = [rank**-1.5 for rank in ranks]
    return [
        [f"w{rank}" for rank in generator.choices(ranks, weights, k=generator.randint(1, 12))] for _ in range(count)
    ]


def published(sentences, order):
    """p(word, context) by the recursion of Chen and Goodman (1998), section 4.1.6."""
    before = defaultdict(list)  # the words before each occurrence of an n-gram
    for sentence in ([BEGIN, *words, END] for words in sentences):
        for size in range(1, order + 1):
            for end in range(max(2, size), len(sentence) + 1):
                before[tuple(sentence[end - size : end])].append(sentence[: end - size])
    grams = {
        gram: len(here) if len(gram) == order or gram[0] == BEGIN else len({words[-1] for words in here})
        for gram, here in before.items()
    }
    vocabulary = {gram[0] for gram in grams if len(gram) == 1} | {UNKNOWN}

    @cache
    def discounts(size):
        n = [sum(len(gram) == size and found == k for gram, found in grams.items()) for k in range(5)]
        if not all(n[1:4]):
            return FALLBACK
        y = n[1] / (n[1] + 2 * n[2])
        found = [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]
        return found if all(0 < d <= k for k, d in enumerate(found, 1)) else FALLBACK

    def probability(word, context):
        context = tuple(context)[-(order - 1) :] if order > 1 else ()
        followers = {gram[-1]: found for gram, found in grams.items() if gram[:-1] == context}
        lower = probability(word, context[1:]) if context else 1 / len(vocabulary)
        if not followers:
            return lower
        taken = {last: discounts(len(context) + 1)[min(found, 3) - 1] for last, found in followers.items()}
        own = followers[word] - taken[word] if word in followers else 0
        return (own + sum(taken.values()) * lower) / sum(followers.values())

    return probability, vocabulary


def check(folder, sentences, order, texts):
    """Compare the scores of texts with the published recursion, for words in context, also after an ARPA file."""
    model = estimate(sentences, order)
    path = folder / "model.arpa"
    path.write_text(format_arpa(model), encoding="utf-8")
    again = read_arpa(path)
    assert again.order == model.order and again.grams.keys() == model.grams.keys()
    assert format_arpa(estimate(reversed(sentences), order)) == format_arpa(model)
    probability, vocabulary = published(sentences, model.order)
    assert {*model.words(), END, UNKNOWN} == vocabulary
    total = 0
    for words in texts:
        known = [word if word in model else UNKNOWN for word in words]
        expected = sum(math.log(probability(w, [BEGIN, *known[:place]])) for place, w in enumerate([*known, END]))
        assert sentence_score(model, words) == pytest.approx(expected)
        assert sentence_score(again, words) == pytest.approx(expected, abs=1e-5)
        total += expected
    assert perplexity(model, texts) == pytest.approx(math.exp(-total / sum(len(words) + 1 for words in texts)))
    return model


@settings(max_examples=40, deadline=None)
@given(texts, st.integers(1, 4), st.lists(st.sampled_from([*WORDS, "other"]), max_size=5))
def test_probabilities_equal_the_published_recursion(tmp_path_factory, sentences, order, words):
    check(tmp_path_factory.mktemp("arpa"), sentences, order, [words])


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_with_estimated_discounts_equal_the_published_recursion(tmp_path, order):
    model = check(tmp_path, zipf(150, seed=1), order, zipf(3, seed=2))
    assert len(model.discounts) == order and FALLBACK not in model.discounts


@pytest.mark.parametrize(("sentences", "message"), [
    *[(sentences, "no words") for sentences in ([], [[]], [[], []])],
    *[([["a", word]], f"{word} in the text 'a {word}'") for word in (BEGIN, END, UNKNOWN)],
])  # fmt: skip
def test_invalid_sentences_are_errors(sentences, message):
    with pytest.raises(SureError, match=message):
        estimate(sentences, 2)


@pytest.mark.parametrize("order", [2, 3, 4])  # kenlm reads no unigram models
def test_scores_equal_kenlm(tmp_path, order):
    kenlm = pytest.importorskip("kenlm", reason="the extra kenlm is not installed; it needs a C++ compiler")
    path = tmp_path / "model.arpa"
    path.write_text(format_arpa(estimate(zipf(150, 1), order)))
    theirs, ours, wrapped = kenlm.Model(str(path)), read_arpa(path), Kenlm(path)
    assert wrapped.words() is None and "w1" in wrapped and "other" not in wrapped
    for words in [*zipf(20, seed=3), [], ["other"], ["w1", "other", "w2", "w3"]]:
        score = math.log(10) * theirs.score(" ".join(words), bos=True, eos=True)
        assert sentence_score(ours, words) == pytest.approx(score, abs=1e-3)
        assert sentence_score(wrapped, words) == pytest.approx(score, abs=1e-4)
    (tmp_path / "x.bin").write_bytes(b"not a model")
    with pytest.raises(SureError, match="kenlm cannot read the n-gram model .*x.bin"):
        load_model(tmp_path / "x.bin")


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


@pytest.mark.parametrize(("arguments", "words"), [
    ("--order 0", "--order 0"), ("", "no lines"), ("--text nowhere", "nowhere"), ("--lines nowhere", "nowhere"),
])  # fmt: skip
def test_errors_of_the_command(tmp_path, arguments, words):
    with pytest.raises(SureError, match=words):
        ngram.main([*arguments.split(), "--out", str(tmp_path / "x.arpa")])


GOOD = b"\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t<s>\n-1\t</s>\n-1\ta\n\n\\end\\\n"


@pytest.mark.parametrize(("name", "old", "new", "words"), [
    ("x.arpa", b"-1\ta", b"minus\ta", r"x.arpa:7: expected a line .*minus"),
    ("x.arpa", b"-1\ta", b"-1\ta b c", r"x.arpa:7"),
    ("x.arpa", b"\\end\\", b"", r"x.arpa ends without"),
    ("x.arpa", b"ngram 1=3", b"ngram 1=4", r"x.arpa has \[3\] n-grams by order.*\[4\]"),
    ("x.arpa", b"</s>", b"b", r"x.arpa lacks </s>"),
    *[("x.arpa", b"ngram 1=3", line, r"x.arpa:2") for line in (b"ngram one=3", b"ngram 1=0_3", b"ngram 0_1=3")],
    ("x.arpa", b"ngram 1=3", b"ngram 99999999999=1", r"x.arpa:2: .*1 to 20 words"),
    ("x.arpa", b"\\1-grams:", b"\\-1", r"x.arpa:4: .*1 to 20 words"),
    *[("x.arpa", b"-1\ta", line, f"x.arpa:7: .*{words}") for line, words in {
        b"nan\ta": "at most 0", b"1.5\ta": "at most 0", b"-1\ta\tinf": "finite", b"-1\t</s>": "twice",
        b"-1\t\xe9": "not UTF-8", b"-0_6\ta": "'-0_6' is not a number",
        b"-1\ta\t-1_0": "'-1_0'", "-\u0663\ta".encode(): "is not a number"}.items()],
    ("x.arpa", b"-1\ta\n", b"-1\ta\n\\2-grams:\n-1\ta b\n", r"x.arpa:9: .*'b' is not among the 1-grams"),
    ("x.arpa", GOOD, b"\xff\xfe\\\0", r"x.arpa:1: not UTF-8"),
    ("x.arpa", b"-1\ta\n", b"-1\ta\n\\2-grams:\n-1\ta a\n", r"x.arpa has \[3, 1\] n-grams by order.*\[3\]"),
    ("x.bin", GOOD, b"mmap lm http", r"x.bin is a binary model of KenLM.*pip install -e '.\[kenlm\]'"),
    ("x.bin", GOOD, b"BZh9", "x.bin is neither an ARPA file, also in gzip, nor a binary model of KenLM"),
    ("cut.gz", GOOD, b"\x1f\x8b\x08\x00", "cannot read the n-gram model .*cut.gz"),
    ("nowhere", b"", None, "cannot read the n-gram model .*nowhere: No such file"),
])  # fmt: skip
def test_unreadable_models_are_named(tmp_path, monkeypatch, name, old, new, words):
    monkeypatch.setitem(sys.modules, "kenlm", None)  # as if it was not installed
    path = tmp_path / name
    path.write_bytes(GOOD)
    assert math.isclose(load_model(path)[0].score((), "other")[0], -100 * math.log(10))
    path.unlink() if new is None else path.write_bytes(GOOD.replace(old, new))
    with pytest.raises(SureError, match=words):
        load_model(path)


@pytest.mark.parametrize("unknown", ["<UNK>", "<Unk>", "<unk>"])
def test_words_with_other_spaces_and_forms(tmp_path, unknown):
    words = f"-1\t10\u00a0000\n-1\ta\u3000b\n-1\tc\x85\n-1\tn\u0303u\n-2\t{unknown}"
    text = GOOD.decode().replace("1=3", "1=7").replace("-1\ta", words).replace("\n", "\r\n")
    (tmp_path / "x.arpa").write_text("\ufeff" + text, encoding="utf-8", newline="")
    model, _ = load_model(tmp_path / "x.arpa")
    assert model.words() == {"10\u00a0000", "a\u3000b", "c\x85", "\xf1u"}
    assert model.score((), "other")[0] == -2 * math.log(10)
