"""Phone recognition: phone sets of the paper of Lee and Hon, targets with and without a lexicon, scores."""

import typing

import pytest

from sure import registry
from sure.config_sections import TokenizerConfig
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.phones import CONSONANTS, FOLDS, NOT_SPEECH, TIMIT_48, VOWELS, Fold, fold

Task = registry.find("tasks", "phoneme")
PHONES = {"a": "h# sh iy q h#", "b": "h# bcl b aa h#", "c": "h# pcl p ao dx h#"}
WORDS = {"a": "Hello, world!", "b": "2 worlds", "c": "hello hello"}
LEXICON = "HELLO HH AH0 L OW1\nWORLD W ER1 L D\nWORLDS W ER1 L D Z\nTWO T UW1\nUNUSED <odd>\n"


# The 61 symbols of TIMIT's documentation, by its own classes.
TIMIT_61 = """
b d g p t k dx q   bcl dcl gcl pcl tcl kcl   jh ch   s sh z zh f th v dh   m n ng em en eng nx   l r w y hh hv el
iy ih eh ey ae aa aw ay ah ao oy ow uh uw ux er ax ix axr ax-h   pau epi h#
""".split()
# Table II of the paper has 39 groups; these have several members.
GROUPS_OF_39 = ["sil cl vcl epi", "el l", "en n", "sh zh", "ao aa", "ih ix", "ah ax"]


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


def test_texts_are_words_of_the_lexicons_of_stage_3(tmp_path, lexicon):
    more = tmp_path / "more.txt"  # such as the output of a grapheme-to-phoneme program
    more.write_text("zulu Z UW1 L UW0\nhello X\n")
    texts = {**WORDS, "d": "hello zulu"}
    stressed = "HH AH0 L OW1 W ER1 L D|T UW1 W ER1 L D Z|HH AH0 L OW1 HH AH0 L OW1|HH AH0 L OW1 Z UW1 L UW0"
    for name, lines in (("no_stress", stressed.replace("0", "").replace("1", "")), (None, stressed)):
        expected = lines.split("|")
        task = make(tmp_path, texts, lexicon=[lexicon, str(more)], fold=name)
        assert [task.reference(one) for one in utterances(texts)] == expected
        assert set(task.tokenizer.tokens) == {"<blank>", *" ".join(expected).split()}
    more.unlink()
    again = Task(Task.Config(), tmp_path / "tokens", "en")
    assert [again.tokenizer.decode(again.target(one).tolist()) for one in utterances(texts)] == expected


def test_a_bundle_has_no_lexicon(tmp_path, lexicon):
    task = make(tmp_path, WORDS, lexicon=lexicon)
    assert task.target_files() == ["lexicon.txt"] and "lexicon.txt" not in task.files()
    (tmp_path / "tokens" / "lexicon.txt").unlink()
    with pytest.raises(SureError, match="a: not in the lexicon: hello world"):
        Task(Task.Config(), tmp_path / "tokens", "en").target(utterances(WORDS)[0])


@pytest.mark.parametrize(("score_fold", "counts", "aligned"), [
    (None, (2, 3, 1, 1), "REF: h# AO Q   PCL P"), ("timit_39", (4, 1, 0, 1), "REF: sil aa sil P"),
])  # fmt: skip
def test_scores_are_those_of_folded_phones(tmp_path, score_fold, counts, aligned):
    task = make(tmp_path, PHONES, score_fold=score_fold)
    references = {"u": "h# ao q pcl p", "v": "b"}
    hypotheses = {"u": "h# aa bcl b", "v": "b b"}  # folded: sil aa sil p, sil aa sil b
    scores = task.score(references, hypotheses)
    correct, *wrong = counts
    names = ("reference", "correct", "substitutions", "deletions", "insertions")
    assert scores["phones"] == dict(zip(names, (size := correct + wrong[0] + wrong[1], *counts), strict=True))
    assert scores["per"] == pytest.approx(100 * sum(wrong) / size)
    assert aligned in task.listing(references, hypotheses)
    assert task.reference(utterances(PHONES)[2]) == PHONES["c"]  # only scores are folded


def test_phones_that_cannot_be_folded_name_the_key(tmp_path):
    task = make(tmp_path, PHONES, score_fold="timit_39")
    with pytest.raises(SureError, match="head.score_fold: fold timit_39: unknown phone 'AA1'"):
        task.score({"c": "AA1"}, {"c": ""})


def test_sizes_of_phone_sets():
    stressed = {phone for phone in FOLDS["no_stress"] if phone[-1].isdigit()}
    assert len(VOWELS + CONSONANTS) == 39 and len(stressed) + len(CONSONANTS) + len(NOT_SPEECH) == 71
    for name, size in (("timit_48", 48), ("timit_39", 39)):
        assert set(FOLDS[name]) == {*TIMIT_61, *TIMIT_48}
        assert len({FOLDS[name][phone] for phone in TIMIT_61} - {""}) == size
    assert len(set(TIMIT_61)) == 61 and set(FOLDS) == set(typing.get_args(Fold))


def test_timit_39_has_the_groups_of_the_paper():
    groups = [set(group.split()) for group in GROUPS_OF_39]
    for one in TIMIT_48:
        for other in TIMIT_48:
            together = one == other or any({one, other} <= group for group in groups)
            assert (FOLDS["timit_39"][one] == FOLDS["timit_39"][other]) == together, (one, other)


def test_folding_by_hand():
    phones = "h# sh ix hv eh dcl jh ih dcl d ah q k axr ax-h em eng nx ux h#"
    assert fold(phones, "timit_48") == "sil sh ix hh eh vcl jh ih vcl d ah k er ax m ng n uw sil"
    assert fold(phones, "timit_39") == "sil sh ih hh eh sil jh ih sil d ah k er ah m ng n uw sil"
    assert fold("HH AH0 L OW1 SIL", "no_stress") == "HH AH L OW SIL" and fold(" AA1  q ", None) == "AA1 q"
    for phone in [*TIMIT_61, *TIMIT_48]:
        assert fold(fold(phone, "timit_48"), "timit_39") == fold(phone, "timit_39")
