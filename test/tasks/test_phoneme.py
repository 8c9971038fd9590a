"""Phone recognition: targets with and without a lexicon, decoding, scores after folding."""

import re
from pathlib import Path

import pytest
import torch

from sure import registry
from sure.config_sections import TokenizerConfig
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.frames import Frames

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


def test_texts_are_phones(tmp_path):
    task = make(tmp_path, PHONES)
    assert task.tokenizer.tokens == ["<blank>", *sorted({p for text in PHONES.values() for p in text.split()})]
    for one in utterances(PHONES):
        assert task.reference(one) == one.text
        assert task.target(one).tolist() == [task.tokenizer.tokens.index(phone) for phone in one.text.split()]


def test_texts_are_words_of_the_lexicons_of_stage_3(tmp_path, lexicon):
    more = tmp_path / "more.txt"  # such as the output of a grapheme-to-phoneme program
    more.write_text("zulu Z UW1 L UW0\nhello X\n")
    texts = {**WORDS, "d": "hello zulu"}
    for fold, expected in (
        ("no_stress", ["HH AH L OW W ER L D", "T UW W ER L D Z", "HH AH L OW HH AH L OW", "HH AH L OW Z UW L UW"]),
        (
            None,
            ["HH AH0 L OW1 W ER1 L D", "T UW1 W ER1 L D Z", "HH AH0 L OW1 HH AH0 L OW1", "HH AH0 L OW1 Z UW1 L UW0"],
        ),
    ):
        task = make(tmp_path, texts, lexicon=[lexicon, str(more)], fold=fold)
        assert [task.reference(one) for one in utterances(texts)] == expected
        assert set(task.tokenizer.tokens) == {"<blank>", *" ".join(expected).split()}
    for path in (lexicon, more):
        Path(path).unlink()
    again = Task(Task.Config(), tmp_path / "tokens", "en")
    assert [again.tokenizer.decode(again.target(one).tolist()) for one in utterances(texts)] == expected


def test_a_bundle_has_no_lexicon(tmp_path, lexicon):
    task = make(tmp_path, WORDS, lexicon=lexicon)
    assert task.target_files() == ["lexicon.txt"] and "lexicon.txt" not in task.files()
    (tmp_path / "tokens" / "lexicon.txt").unlink()
    with pytest.raises(SureError, match="a: not in the lexicon: hello world"):
        Task(Task.Config(), tmp_path / "tokens", "en").target(utterances(WORDS)[0])


def test_words_that_the_lexicon_does_not_have_are_listed_all_together(lexicon):
    texts = {**WORDS, "d": "zulu hello alpha", "e": "Zulu x"}
    tokenizer = TokenizerConfig(kind="phone", lexicon=lexicon)
    with pytest.raises(SureError, match=re.escape(lexicon) + r"\): alpha x zulu; add lines `word phone"):
        Task.check(utterances(texts), tokenizer=tokenizer, language="en")


def test_a_phone_that_training_does_not_have_is_left_out_of_targets(tmp_path, caplog):
    task = make(tmp_path, PHONES)
    one = utterances({"x": "h# zh iy h#"})[0]
    assert task.tokenizer.decode(task.target(one).tolist()) == "h# iy h#" and task.reference(one) == "h# zh iy h#"
    assert "x: 'zh' is not in the training transcripts" in caplog.text


def test_repeats_are_merged_and_blanks_left_out(tmp_path):
    task = make(tmp_path, PHONES)
    names = ["h#", "h#", "<blank>", "h#", "sh", "sh", "<blank>", "<blank>", "iy"]
    path = torch.tensor([task.tokenizer.tokens.index(name) for name in names])
    outputs = torch.nn.functional.one_hot(path, task.tokenizer.size).float()[None]
    assert task.decode(outputs, Frames([9])) == ["h# h# sh iy"]


@pytest.mark.parametrize(
    ("score_fold", "correct", "substitutions", "deletions", "insertions", "aligned"),
    [(None, 2, 3, 1, 1, "REF: h# AO Q   PCL P"), ("timit_39", 4, 1, 0, 1, "REF: sil aa sil P")],
)
def test_scores_are_those_of_folded_phones(
    tmp_path, score_fold, correct, substitutions, deletions, insertions, aligned
):
    task = make(tmp_path, PHONES, score_fold=score_fold)
    references = {"u": "h# ao q pcl p", "v": "b"}
    hypotheses = {"u": "h# aa bcl b", "v": "b b"}  # folded: sil aa sil p, sil aa sil b
    scores = task.score(references, hypotheses)
    counts = {"correct": correct, "substitutions": substitutions, "deletions": deletions, "insertions": insertions}
    size = correct + substitutions + deletions
    assert scores["phones"] == {"reference": size, **counts}
    assert scores["per"] == pytest.approx(100 * (substitutions + deletions + insertions) / size)
    assert aligned in task.listing(references, hypotheses)
    assert task.reference(utterances(PHONES)[2]) == PHONES["c"]  # only scores are folded


def test_phones_that_cannot_be_folded_name_the_key(tmp_path):
    task = make(tmp_path, PHONES, score_fold="timit_39")
    with pytest.raises(SureError, match="head.score_fold: fold timit_39: unknown phone 'AA1'"):
        task.score({"c": "AA1"}, {"c": ""})
