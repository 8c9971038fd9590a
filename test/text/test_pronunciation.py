"""Lexicon files, and conversion of transcripts to phones."""

import json
import re

import pytest

from sure.errors import SureError
from sure.text.pronunciation import Pronunciation, read_lexicon

LEXICON = "HELLO  HH AH0 L OW1\nhello\tHH EH0 L OW1\n\nWorld W ER1 L D\nDON'T D OW1 N T\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lexicon.txt"
    path.write_text(LEXICON)
    return path


def test_first_pronunciation_of_all_files_counts(file, tmp_path):
    (tmp_path / "more.txt").write_text("world X\ntwo T UW1\n")
    assert read_lexicon([file, tmp_path / "more.txt"]) == {
        "hello": "HH AH0 L OW1", "world": "W ER1 L D", "don't": "D OW1 N T", "two": "T UW1",
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"hello HH\nworld\n", b"\xff\n"])
def test_invalid_lexicon_files_are_named(tmp_path, content):
    (tmp_path / "lexicon.txt").write_bytes(content)
    with pytest.raises(SureError, match="lexicon.txt(:2: expected `word phone phone ...`, found 'world'| .*utf-8)"):
        read_lexicon([tmp_path / "lexicon.txt"])
    with pytest.raises(SureError, match="nowhere.*tokenizer.lexicon.*No such file"):
        read_lexicon([tmp_path / "nowhere"])


def test_words_are_normalised_before_lookup(file, tmp_path):
    (tmp_path / "two.txt").write_text("two T UW1")
    lexicon = read_lexicon([file, tmp_path / "two.txt"])
    text = "Hello, 2 WORLD: don’t!"
    assert Pronunciation(lexicon, None).phones(text, "en") == "HH AH0 L OW1 T UW1 W ER1 L D D OW1 N T"
    assert Pronunciation(lexicon, "no_stress").phones("hello", "en") == "HH AH L OW"


def test_transcripts_of_phones():
    assert Pronunciation(None, None).phones("h#  AX-h 5", "en") == "h# AX-h 5"
    assert Pronunciation(None, "timit_39").phones("h# ax-h q", "en") == "sil ah"


def test_missing_words(file):
    pronunciation = Pronunciation(read_lexicon([file]), None)
    assert pronunciation.missing(["hello zulu", "Alpha, zulu"], "en") == ["alpha", "zulu"]
    with pytest.raises(SureError, match="not in the lexicon: alpha zulu; .*stage 3"):
        pronunciation.phones("zulu hello alpha", "en")
    assert Pronunciation(None, None).missing(["zulu"], "en") == []


@pytest.mark.parametrize("fold", [None, "no_stress"])
def test_save_and_load(file, tmp_path, fold):
    for lexicon in (read_lexicon([file]), None):
        folder = tmp_path / str(lexicon is None)
        Pronunciation(lexicon, fold).save(folder)
        again = Pronunciation.load(folder)
        assert (again.lexicon, again.fold) == (lexicon, fold)


def test_damaged_files_are_named(file, tmp_path):
    with pytest.raises(SureError, match=re.escape(str(tmp_path / "phones.json")) + " does not exist.*tokenize"):
        Pronunciation.load(tmp_path)
    for content in ("{", "[]", json.dumps({"lexicon": False, "fold": "other"}), json.dumps({"fold": None})):
        (tmp_path / "phones.json").write_text(content)
        with pytest.raises(SureError, match="phones.json.*tokenize"):
            Pronunciation.load(tmp_path)
