"""Error rates compared with torchaudio's edit distance, and the listing of errors."""

import itertools
import re
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torchaudio.functional import edit_distance

from sure.errors import SureError
from sure.score import bootstrap
from sure.score.error_rate import aligned_listing, error_rates

KINDS = ("correct", "substitutions", "deletions", "insertions")


def by_id(texts):
    return {f"utt{i}": text for i, text in enumerate(texts)}


words = st.lists(st.sampled_from(["a", "b", "ab", "ñu", "еще"]), max_size=6).map(" ".join)


@patch.object(bootstrap, "DRAWS", 20)
@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=5).filter(lambda pairs: any(r for r, _ in pairs)))
def test_rates_are_levenshtein_over_length_and_the_listing_has_the_same_counts(pairs):
    references, hypotheses = (by_id(side) for side in zip(*pairs, strict=True))
    scores = error_rates(references, hypotheses)
    for name, units, split in (("wer", "words", str.split), ("cer", "characters", list)):
        sizes, found_sizes = ([len(split(pair[side])) for pair in pairs] for side in (0, 1))
        errors = [edit_distance(split(r), split(h)) for r, h in pairs]
        correct, *wrong = (scores[units][kind] for kind in KINDS)
        assert sum(wrong) == sum(errors) and scores[name] == pytest.approx(100 * sum(errors) / sum(sizes))
        assert scores[units]["reference"] == sum(sizes) == correct + wrong[0] + wrong[1]
        assert sum(found_sizes) == correct + wrong[0] + wrong[2]
        assert scores[f"{name}_interval"] == bootstrap.ratio_interval(errors, sizes)
    assert scores["sentence_error_rate"] == pytest.approx(100 * sum(r != h for r, h in pairs) / len(pairs))

    lines = aligned_listing(references, hypotheses).splitlines()
    for mark, side in (("REF:", references), ("HYP:", hypotheses)):
        shown = [line.removeprefix(mark).split() for line in lines if line.startswith(mark)]
        assert [" ".join(w for w in row if set(w) != {"*"}).lower() for row in shown] == list(side.values())
    numbers = [int(n) for n in re.findall(r"\d+", " ".join(line for line in lines if line.startswith("correct ")))]
    assert [sum(numbers[place::4]) for place in range(4)] == [scores["words"][kind] for kind in KINDS]
    for name, kind in zip(("substituted", "deleted", "inserted"), KINDS[1:], strict=True):
        start = next(place for place, line in enumerate(lines) if line.startswith(f"{name}: ")) + 1
        listed = itertools.takewhile(str.strip, lines[start:])
        assert sum(int(line.split()[0]) for line in listed) == scores["words"][kind]


@pytest.mark.parametrize(("reference", "hypothesis", "cer"), [
    ("你 好 世 界", "你好世 间", 25.0), ("你好 谢谢", "你好谢谢", 0.0), ("สวัส ดี", "สวัสดี", 0.0),
    ("ヴ ァ 〇", "ヴァ〇", 0.0),
    ("မြန် မာ", "မြန်မာ", 0.0), ("ខ្មែ រ", "ខ្មែរ", 0.0), ("用 my phone", "用my phon", 100 / 9), ("한 국", "한국", 100 / 3),
])  # fmt: skip
def test_spaces_count_only_in_scripts_that_are_written_with_spaces(reference, hypothesis, cer):
    scores = error_rates({"a": reference}, {"a": hypothesis})
    assert (scores["cer"], scores["sentence_error_rate"]) == (pytest.approx(cer), 100.0 * (cer > 0))


@pytest.mark.parametrize("references", [[], [""], ["", "  "]])
def test_only_empty_references_are_an_error(references):
    with pytest.raises(SureError, match="all references are empty"):
        error_rates(by_id(references), by_id(["word"] * len(references)))


def test_the_order_and_spacing_of_lines_do_not_matter():
    references, hypotheses = by_id(["a b c", "d e", "f"]), by_id(["a c c", "d e e", ""])
    backwards = dict(reversed(hypotheses.items()))
    spaced = {id: f" {text} ".replace(" ", "\t ") for id, text in references.items()}
    assert error_rates(references, hypotheses) == error_rates(spaced, backwards)


def test_listing_aligns_both_lines():
    references, hypotheses = by_id(["the cat sat", "el niño ya", ""]), by_id(["the big cut sat", "el ya", ""])
    assert aligned_listing(references, hypotheses).split("\n\n")[:3] == [
        "utt0\ncorrect 2, substituted 1, deleted 0, inserted 1\n"
        "REF: the *** CAT sat\nHYP: the BIG CUT sat\n         I   S",
        "utt1\ncorrect 2, substituted 0, deleted 1, inserted 0\nREF: el NIÑO ya\nHYP: el **** ya\n        D",
        "utt2\ncorrect 0, substituted 0, deleted 0, inserted 0\nREF: \nHYP: \n     ",
    ]


def test_listing_ends_with_totals_and_the_most_frequent_errors_in_alphabetical_order():
    references = by_id(["a b c", "a b", "d", "d e", "c"])
    listing = aligned_listing(references, by_id(["a x c y", "a x", "d", "d", ""]), frequent=1)
    assert listing.endswith(
        """totals
5 utterances, with errors 4 (80.00 %)
9 words: correct 5 (55.56 %), substituted 2 (22.22 %), deleted 2 (22.22 %), inserted 1 (11.11 %); errors 5 (55.56 %)

substituted: 1 of 1 different errors, most frequent first
     2  b -> x

deleted: 1 of 2 different errors, most frequent first
     1  c

inserted: 1 of 1 different errors, most frequent first
     1  y
"""
    )
