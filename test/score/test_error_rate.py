"""Error rates compared with torchaudio's edit distance, and the listing of errors."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torchaudio.functional import edit_distance

from sure.errors import SureError
from sure.score.error_rate import aligned_listing, error_rates


def by_id(texts):
    return {f"utt{i}": text for i, text in enumerate(texts)}


words = st.lists(st.sampled_from(["a", "b", "ab", "ñu", "еще"]), max_size=6).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=5).filter(lambda pairs: any(r for r, _ in pairs)))
def test_rates_are_levenshtein_over_length(pairs):
    references, hypotheses = (by_id(side) for side in zip(*pairs, strict=True))
    scores = error_rates(references, hypotheses)
    for name, units, split in (("wer", "words", str.split), ("cer", "characters", list)):
        errors = sum(edit_distance(split(r), split(h)) for r, h in pairs)
        size = sum(len(split(r)) for r, _ in pairs)
        hypothesis_size = sum(len(split(h)) for _, h in pairs)
        assert scores[name] == pytest.approx(100 * errors / size)
        counts = scores[units]
        assert counts["substitutions"] + counts["deletions"] + counts["insertions"] == errors
        assert counts["correct"] + counts["substitutions"] + counts["deletions"] == counts["reference"] == size
        assert counts["correct"] + counts["substitutions"] + counts["insertions"] == hypothesis_size
        low, high = scores[f"{name}_interval"]
        assert 0 <= low <= high
    wrong = sum(r != h for r, h in pairs)
    assert scores["sentence_error_rate"] == pytest.approx(100 * wrong / len(pairs))


def test_a_worked_example():
    references = by_id(["the cat sat on the mat", "good morning"])
    scores = error_rates(references, by_id(["the cat sit on mat", "good good morning"]))
    assert scores["words"] == {
        "reference": 8, "correct": 6, "substitutions": 1, "deletions": 1, "insertions": 1,
    }  # fmt: skip
    assert scores["wer"] == pytest.approx(37.5)
    assert scores["cer"] == pytest.approx(100 * (1 + 4 + 5) / (22 + 12))
    assert scores["sentence_error_rate"] == 100


def test_empty_sides():
    scores = error_rates(by_id(["", "", "a b"]), by_id(["x y", "", ""]))
    assert scores["words"] == {
        "reference": 2, "correct": 0, "substitutions": 0, "deletions": 2, "insertions": 2,
    }  # fmt: skip
    assert scores["wer"] == pytest.approx(200)


@pytest.mark.parametrize("references", [[], [""], ["", "  "]])
def test_only_empty_references_are_an_error(references):
    with pytest.raises(SureError, match="all references are empty"):
        error_rates(by_id(references), by_id(["word"] * len(references)))


def test_the_order_and_spacing_of_lines_do_not_matter():
    references, hypotheses = by_id(["a b c", "d e", "f"]), by_id(["a c c", "d e e", ""])
    backwards = dict(reversed(hypotheses.items()))
    spaced = {id: f" {text} ".replace(" ", "\t ") for id, text in references.items()}
    assert error_rates(references, hypotheses) == error_rates(spaced, backwards)


def test_interval_contains_the_rate_and_narrows_with_more_utterances():
    def rates(copies):
        return error_rates(by_id(["a b c d"] * 2 * copies), by_id(["a b c d", "a b x"] * copies))

    few, many = rates(4), rates(400)
    for scores in (few, many):
        assert scores["wer_interval"][0] < scores["wer"] == 25 < scores["wer_interval"][1]
    assert many["wer_interval"][1] - many["wer_interval"][0] < few["wer_interval"][1] - few["wer_interval"][0]


def test_listing_aligns_both_lines():
    references, hypotheses = by_id(["the cat sat", "el niño ya", ""]), by_id(["the big cut sat", "el ya", ""])
    blocks = aligned_listing(references, hypotheses).split("\n\n")
    assert blocks[0].splitlines() == [
        "utt0",
        "correct 2, substituted 1, deleted 0, inserted 1",
        "REF: the *** CAT sat",
        "HYP: the BIG CUT sat",
        "         I   S",
    ]
    assert blocks[1].splitlines() == [
        "utt1",
        "correct 2, substituted 0, deleted 1, inserted 0",
        "REF: el NIÑO ya",
        "HYP: el **** ya",
        "        D",
    ]
    assert blocks[2].startswith("utt2\ncorrect 0, substituted 0, deleted 0, inserted 0\nREF: \nHYP: \n")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=3))
def test_listing_has_all_words(pairs):
    references, hypotheses = (by_id(side) for side in zip(*pairs, strict=True))
    lines = aligned_listing(references, hypotheses).splitlines()
    for mark, side in (("REF:", references), ("HYP:", hypotheses)):
        shown = [line.removeprefix(mark).split() for line in lines if line.startswith(mark)]
        kept = [" ".join(word for word in row if set(word) != {"*"}).lower() for row in shown]
        assert kept == list(side.values())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=5).filter(lambda pairs: any(r for r, _ in pairs)))
def test_counts_in_the_listing_equal_the_scores(pairs):
    references, hypotheses = (by_id(side) for side in zip(*pairs, strict=True))
    lines = aligned_listing(references, hypotheses).splitlines()
    scores = error_rates(references, hypotheses)
    numbers = [
        int(number) for number in re.findall(r"\d+", " ".join(line for line in lines if line.startswith("correct ")))
    ]
    kinds = ("correct", "substitutions", "deletions", "insertions")
    assert [sum(numbers[place::4]) for place in range(4)] == [scores["words"][kind] for kind in kinds]
    total = next(line for line in lines if line.startswith(f"{scores['words']['reference']} words: "))
    assert total.endswith(f"({scores['wer']:.2f} %)")
    assert f"with errors {round(scores['sentence_error_rate'] * len(pairs) / 100)}" in lines[lines.index("totals") + 1]
    for name, kind in (("substituted", "substitutions"), ("deleted", "deletions"), ("inserted", "insertions")):
        start = next(place for place, line in enumerate(lines) if line.startswith(f"{name}: ")) + 1
        listed = itertools.takewhile(str.strip, lines[start:])
        assert sum(int(line.split()[0]) for line in listed) == scores["words"][kind]


def test_listing_ends_with_totals_and_the_most_frequent_errors():
    references = by_id(["a b c", "a b", "d", "d e"])
    listing = aligned_listing(references, by_id(["a x c y", "a x", "d", "d"]), frequent=1)
    assert listing.endswith(
        """totals
4 utterances, with errors 3 (75.00 %)
8 words: correct 5 (62.50 %), substituted 2 (25.00 %), deleted 1 (12.50 %), inserted 1 (12.50 %); errors 4 (50.00 %)

substituted: 1 of 1 different errors, most frequent first
     2  b -> x

deleted: 1 of 1 different errors, most frequent first
     1  e

inserted: 1 of 1 different errors, most frequent first
     1  y
"""
    )


def test_equally_frequent_errors_are_in_alphabetical_order():
    listing = aligned_listing(by_id(["b", "a"]), by_id(["", ""]), frequent=1)
    assert "deleted: 1 of 2 different errors, most frequent first\n     1  a\n" in listing
