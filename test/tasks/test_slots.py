"""Slot filling: slots of marked texts, targets, and scores, compared with a regular expression and scikit-learn."""

import re
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer
from torchaudio.functional import edit_distance

from sure import registry
from sure.config_sections import TokenizerConfig
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.score import bootstrap
from sure.score.slots import slot_scores
from sure.text.slots import normalize_marked, slots_of

Task = registry.find("tasks", "slots")
TRAIN = {"a": "Play B-Song Hello, 2 E-Song by B-artist Adele E-artist", "b": "B-artist adele E-artist", "c": "stop"}
SLOT = re.compile(r"(?<!\S)B-(\S+)(?!\S)((?: (?!E-\1(?!\S))\S+)*) E-\1(?!\S)")
TYPES = ["artist", "track", "city"]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    given = [Utterance(id, "", text=text) for id, text in TRAIN.items()]
    Task.fit(given, folder, tokenizer=TokenizerConfig(kind="slot"), language="en")
    return Task(Task.Config(), folder, "en")


words = st.sampled_from(["a", "bc", "B-x", "E-x", "B-y", "E-y", "B-xy", "E-xy", "B-", "aB-x"])


@given(st.lists(words, max_size=12).map(" ".join))
def test_a_slot_ends_at_the_nearest_mark_of_its_type(text):
    found = ((match[1], re.sub(r"(?<!\S)[BE]-\S+", "", match[2]).split()) for match in SLOT.finditer(text))
    assert slots_of(text) == [(kind, " ".join(words)) for kind, words in found if words]


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


def test_a_target_has_normalised_words_and_one_token_a_mark(task):
    one, tokens = Utterance("a", "", text=TRAIN["a"]), task.tokenizer.tokens
    assert task.reference(one) == "play B-Song hello two E-Song by B-artist adele E-artist"
    assert len(task.target(one)) == len("play" + "hello two" + "by" + "adele") + 4
    assert {token for token in tokens if "-" in token} == {"B-artist", "E-artist", "B-Song", "E-Song"}
    assert task.tokenizer.decode([tokens.index(token) for token in ("B-Song", "B-Song", "o")]) == "B-Song B-Song o"


def test_scores_of_malformed_lines(task):
    references = {id: task.reference(Utterance(id, "", text=text)) for id, text in TRAIN.items()}
    hypotheses = {
        "a": "play B-Song hello two by B-artist adele E-artist",  # Song is never closed: F1 2/3, 9 deletions
        "b": "B-artist B-Song adel E-Song E-artist",  # nested: the outer one, without a letter
        "c": "E-Song stop B-artist",  # none at all, as in the reference
    }
    scores = task.score(references, hypotheses)
    assert scores["slot_type_f1"] == pytest.approx(100 * (2 / 3 + 1 + 1) / 3)
    assert scores["slot_value_cer"] == pytest.approx(100 * (9 + 1) / (9 + 5 + 5))
    assert "REF: play B-Song hello two E-SONG by" in task.listing(references, hypotheses)
    with pytest.raises(SureError, match="no reference has a slot"):
        task.score({"a": "stop"}, {"a": hypotheses["a"]})


def test_a_slot_that_training_does_not_have_is_left_out_of_targets_and_an_error_in_scores(task, caplog):
    one = Utterance("x", "", text="play B-city two E-city")
    assert task.tokenizer.decode(task.target(one).tolist()) == "play two"
    assert "x: 'B-city' is not in the training transcripts" in caplog.text
    assert task.score({"x": task.reference(one)}, {"x": "play two"})["slot_type_f1"] == 0


slots = st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from(["a", "ab", "ba b", "cab ab"])), max_size=4)


@patch.object(bootstrap, "DRAWS", 20)
@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(slots, slots), min_size=1, max_size=5).filter(lambda pairs: any(r for r, _ in pairs)))
def test_scores_of_any_slots(pairs):
    """CER: errors of each value against its best match, or its length without a match, over all characters."""
    sides = list(zip(*pairs, strict=True))
    scores = slot_scores(*({f"u{index}": slots for index, slots in enumerate(side)} for side in sides))
    binary = MultiLabelBinarizer(classes=TYPES)
    types = [binary.fit_transform([dict(one) for one in side])[:, None] for side in sides]
    f1 = [f1_score(*one, average="samples", zero_division=1) for one in zip(*types, strict=True)]
    errors = [0] * len(pairs)
    for place, (wanted, found) in enumerate(pairs):
        for kind, value in wanted:
            matches = [match for other, match in found if other == kind]
            errors[place] += min([edit_distance(value, match) for match in matches] or [len(value)])
    sizes = [sum(len(value) for _, value in wanted) for wanted in sides[0]]
    assert scores["slot_type_f1"] == pytest.approx(100 * sum(f1) / len(f1))
    assert scores["slot_value_cer"] == pytest.approx(100 * sum(errors) / sum(sizes))
    assert scores["slot_type_f1_interval"] == bootstrap.ratio_interval(f1, [1] * len(f1))
    assert scores["slot_value_cer_interval"] == bootstrap.ratio_interval(errors, sizes)
    assert scores["slots"] == {"reference": sum(map(len, sides[0])), "hypothesis": sum(map(len, sides[1]))}
