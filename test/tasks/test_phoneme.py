"""Phone recognition: targets with and without a lexicon, decoding, scores after folding."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchaudio.functional import edit_distance

from sure import registry
from sure.config_sections import TokenizerConfig
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.frames import Frames
from sure.tasks.ctc import CtcTask

Task = registry.find("tasks", "phoneme")
PHONES = {"a": "h# sh iy q h#", "b": "h# bcl b aa h#", "c": "h# pcl p ao dx h#"}
WORDS = {"a": "Hello, world!", "b": "2 worlds", "c": "hello hello"}
LEXICON = "HELLO HH AH0 L OW1\nWORLD W ER1 L D\nWORLDS W ER1 L D Z\nTWO T UW1\nUNUSED <odd>\n"


def utterances(texts):
    return [Utterance(id, f"{id}.wav", seconds=1.0, text=text) for id, text in texts.items()]


@pytest.fixture
def lexicon(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text(LEXICON)
    return str(path)


def make(folder, texts, *, score_fold=None, **tokenizer):
    given = {"tokenizer": TokenizerConfig(kind="phone", **tokenizer), "language": "en"}
    Task.check(utterances(texts), **given)
    Task.fit(utterances(texts), folder / "tokens", **given)
    return Task(Task.Config(score_fold=score_fold), folder / "tokens", "en")


def test_found_by_name():
    assert issubclass(Task, CtcTask) and Task.score_name == "per" and not Task.higher_is_better


def test_texts_are_phones(tmp_path):
    task = make(tmp_path, PHONES)
    assert task.tokenizer.tokens() == ["<blank>", *sorted({p for text in PHONES.values() for p in text.split()})]
    for one in utterances(PHONES):
        assert task.reference(one) == one.text
        assert task.target(one).tolist() == [task.tokenizer.tokens().index(phone) for phone in one.text.split()]
    assert task.build_head(16).output.out_features == task.tokenizer.size


def test_texts_are_words_of_a_lexicon(tmp_path, lexicon):
    task = make(tmp_path, WORDS, lexicon=lexicon, fold="no_stress")
    a, b, c = utterances(WORDS)
    assert task.reference(a) == "HH AH L OW W ER L D"
    assert task.reference(b) == "T UW W ER L D Z"
    assert task.tokenizer.decode(task.target(c).tolist()) == "HH AH L OW HH AH L OW"
    assert not any(token[-1].isdigit() for token in task.tokenizer.tokens())


def test_the_lexicon_is_that_of_stage_3(tmp_path, lexicon):
    task = make(tmp_path, WORDS, lexicon=lexicon)
    before = [task.reference(one) for one in utterances(WORDS)]
    (tmp_path / "lexicon.txt").unlink()
    again = Task(Task.Config(), tmp_path / "tokens", "en")
    assert [again.reference(one) for one in utterances(WORDS)] == before


def test_decoding_needs_only_the_files_of_a_bundle(tmp_path, lexicon):
    task = make(tmp_path, WORDS, lexicon=lexicon)
    assert task.target_files() == ["lexicon.txt"] and "lexicon.txt" not in task.files()
    part = tmp_path / "part"
    part.mkdir()
    for name in task.files():
        (part / name).write_bytes((tmp_path / "tokens" / name).read_bytes())
    packed = Task(Task.Config(), part, "en")
    outputs = torch.randn(2, 9, task.tokenizer.size, generator=torch.Generator().manual_seed(0))
    assert packed.decode(outputs, Frames([9, 4])) == task.decode(outputs, Frames([9, 4]))
    with pytest.raises(SureError, match="a: not in the lexicon: hello world"):
        packed.target(utterances(WORDS)[0])


def test_words_that_the_lexicon_does_not_have_are_listed_all_together(lexicon):
    texts = {**WORDS, "d": "zulu hello alpha", "e": "Zulu x"}
    tokenizer = TokenizerConfig(kind="phone", lexicon=lexicon)
    with pytest.raises(SureError, match=re.escape(lexicon) + r"\): alpha x zulu; add lines `word phone"):
        Task.check(utterances(texts), tokenizer=tokenizer, language="en")


def test_one_more_lexicon_is_the_place_for_what_a_program_pronounces(tmp_path, lexicon):
    (tmp_path / "made.txt").write_text("zulu Z UW1 L UW0\nhello X\n")
    task = make(tmp_path, {**WORDS, "d": "hello zulu"}, lexicon=[lexicon, str(tmp_path / "made.txt")])
    assert task.reference(utterances({"d": "hello zulu"})[0]) == "HH AH0 L OW1 Z UW1 L UW0"


def test_phones_of_another_set_name_the_utterance(tmp_path):
    with pytest.raises(SureError, match="b: fold timit_48: unknown phone 'AA1'"):
        make(tmp_path, {"a": "h# aa", "b": "h# AA1"}, fold="timit_48")
    with pytest.raises(SureError, match="b: no transcript"):
        make(tmp_path, {"a": "h# aa", "b": None})


def test_a_phone_that_training_never_had_is_left_out_of_targets(tmp_path, caplog):
    task = make(tmp_path, PHONES)
    one = utterances({"x": "h# zh iy h#"})[0]
    assert task.tokenizer.decode(task.target(one).tolist()) == "h# iy h#"
    assert "x: 'zh' is not in the training transcripts" in caplog.text
    assert task.reference(one) == "h# zh iy h#"


def test_repeats_are_merged_and_blanks_left_out_before_scoring(tmp_path):
    task = make(tmp_path, PHONES)
    index = task.tokenizer.tokens().index
    path = torch.tensor([index("h#"), index("h#"), 0, index("h#"), index("sh"), index("sh"), 0, 0, index("iy")])
    outputs = torch.nn.functional.one_hot(path, task.tokenizer.size).float()[None]
    assert task.decode(outputs, Frames([9])) == ["h# h# sh iy"]
    scores = task.score({"u": "h# sh iy"}, {"u": "h# h# sh iy"})
    assert scores["phones"] == {"reference": 3, "correct": 3, "substitutions": 0, "deletions": 0, "insertions": 1}
    assert scores["per"] == pytest.approx(100 / 3) and scores["sentence_error_rate"] == 100


lines = st.lists(st.sampled_from(["h#", "ao", "aa", "q", "bcl", "pcl", "b"]), max_size=5).map(" ".join)
BY_HAND = {"h#": "sil", "ao": "aa", "aa": "aa", "bcl": "sil", "pcl": "sil", "b": "b"}


def sounds(text):
    return [BY_HAND[phone] for phone in text.split() if phone != "q"]


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    return make(tmp_path_factory.mktemp("folded"), PHONES, score_fold="timit_39")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(lines, lines), min_size=1, max_size=4))
def test_per_is_the_edit_distance_over_the_phones_that_both_sides_are_folded_to(folded, pairs):
    said, heard = ([sounds(text) for text in side] for side in zip(*pairs, strict=True))
    references, hypotheses = ({f"u{i}": text for i, text in enumerate(side)} for side in zip(*pairs, strict=True))
    if not any(said):
        with pytest.raises(SureError, match="all references are empty"):
            folded.score(references, hypotheses)
        return
    scores = folded.score(references, hypotheses)
    errors = [edit_distance(*pair) for pair in zip(said, heard, strict=True)]
    assert scores["per"] == pytest.approx(100 * sum(errors) / sum(map(len, said)))
    counts = scores["phones"]
    assert counts["substitutions"] + counts["deletions"] + counts["insertions"] == sum(errors)
    assert counts["reference"] == sum(map(len, said))
    assert 0 <= scores["per_interval"][0] <= scores["per_interval"][1]


def test_folding_is_for_scoring_only(folded):
    one = utterances(PHONES)[2]
    assert folded.reference(one) == one.text and "ao" in folded.tokenizer.tokens()
    assert folded.score({"c": one.text}, {"c": one.text.replace("ao", "aa")})["per"] == 0
    assert "REF: sil sil p aa dx sil" in folded.listing({"c": one.text}, {"c": one.text})
    with pytest.raises(SureError, match="head.score_fold: fold timit_39: unknown phone 'AA1'"):
        folded.score({"c": "AA1"}, {"c": ""})
