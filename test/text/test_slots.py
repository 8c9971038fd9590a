"""Slots of valid and invalid marked texts, compared with a regular expression."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sure.errors import SureError
from sure.text.slots import check_marks, normalize_marked, slots_of

SLOT = re.compile(r"(?<!\S)B-(\S+)(?!\S)((?: (?!E-\1(?!\S))\S+)*) E-\1(?!\S)")


def by_expression(text):
    """The same definition as a regular expression: the nearest end of the same type, from left to right."""
    found = ((match[1], re.sub(r"(?<!\S)[BE]-\S+", "", match[2]).split()) for match in SLOT.finditer(text))
    return [(kind, " ".join(words)) for kind, words in found if words]


words = st.sampled_from(["a", "bc", "B-x", "E-x", "B-y", "E-y", "B-xy", "E-xy", "B-", "aB-x"])


@given(st.lists(words, max_size=12).map(" ".join))
def test_slots_equal_the_expression(text):
    assert slots_of(text) == by_expression(text)


@pytest.mark.parametrize(("text", "slots"), [
    ("a B-track hello world E-track by B-artist adele E-artist", [("track", "hello world"), ("artist", "adele")]),
    ("", []),
    ("no marks at all", []),
    ("B-track hello", []),  # never closed
    ("hello E-track", []),  # never opened
    ("B-track E-track hello", []),  # empty
    ("B-track hello B-artist adele E-artist", [("artist", "adele")]),  # slots after an open one count
    ("B-a one B-b two E-b three E-a", [("a", "one two three")]),  # nested: the outer
    ("B-a one B-b two E-a three E-b", [("a", "one two")]),  # crossing: the first
    ("B-a one B-a two E-a three E-a", [("a", "one two")]),  # nested in its own kind: the nearest end
    ("B-a one E-ab two E-a", [("a", "one two")]),  # a type is a whole word
    ("B-a one E-a B-a two E-a", [("a", "one"), ("a", "two")]),
])  # fmt: skip
def test_by_hand(text, slots):
    assert slots_of(text) == slots


def test_words_are_normalised_and_marks_kept():
    text = "Play B-Track Hello, World! E-Track by B-Artist 2 Unlimited E-Artist please"
    normalised = "play B-Track hello world E-Track by B-Artist two unlimited E-Artist please"
    assert normalize_marked(text, "en") == normalize_marked(normalised, "en") == normalised


@pytest.mark.parametrize(("text", "message"), [
    ("B-a one", "B-a without an E-a after it in 'B-a one'"),
    ("one E-a", "E-a without a B-a before it"),
    ("B-a one E-b", "E-b does not end the slot a in"),
    ("B-a one E-a, two", "E-a, does not end the slot a"),  # a comma is part of its word
    ("B-a one B-b two E-b E-a", "B-b is inside the slot a"),
    ("one B-a E-a", "no word between B-a and E-a"),
    ("one B-a ! E-a", "no word between B-a and E-a"),  # only punctuation
])  # fmt: skip
def test_invalid_marks_are_errors(text, message):
    with pytest.raises(SureError, match=message):
        normalize_marked(text, "en")


@given(st.lists(st.tuples(st.sampled_from(["", "x", "y"]), st.sampled_from(["a", "b c"])), max_size=6))
def test_valid_texts_keep_their_slots(parts):
    text = " ".join(f"B-{kind} {value} E-{kind}" if kind else value for kind, value in parts)
    check_marks(text)
    assert slots_of(text) == [(kind, value) for kind, value in parts if kind]
    assert slots_of(text) == re.findall(r"B-(\S+) (.+?) E-\1", text)  # as in s3prl
