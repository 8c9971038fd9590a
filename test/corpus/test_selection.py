"""Promises of sure.corpus.selection: every utterance of a corpus is in a set or on the list of those left out."""

import os

import pytest

from sure.corpus.selection import SETS, Selection, agreeing, last_tenths, read_lists
from sure.data.data_dir import Utterance, read_data_dir
from sure.errors import SureError


def selection(**settings):
    made = Selection("corpus asr", **settings)
    for name, id in (("train", "train0"), ("train", "train1"), ("dev", "dev0"), ("test", "test0")):
        made.take(name, Utterance(id, f"/somewhere/{id}.wav", end=1.0, text="hello"))
    return made


def test_sets_list_and_counts(tmp_path, capsys):
    made = selection(published={"train": 3, "dev": 1})
    made.take("train", Utterance("bad", os.fsdecode(b"/some\xff/bad.wav"), end=1.0, text="hello"))
    left_out = {"b.mp4": "unreadable", "a.mp4": "unreadable", "a line\nof two": "without text"}
    for item, reason in {**left_out, os.fsdecode(b"\xfe.txt"): "without text"}.items():
        made.leave_out(item, reason)
    folders = made.write(tmp_path)
    assert [folder.name for folder in folders] == ["train", "dev", "test"]
    assert [one.id for one in read_data_dir(folders[0])] == ["train0", "train1"]
    assert (tmp_path / "left_out.txt").read_text() == (
        "recordings whose name or folder is not UTF-8\t/some\\udcff/bad.wav\n"
        "unreadable\ta.mp4\nunreadable\tb.mp4\nwithout text\t\\udcfe.txt\nwithout text\ta line of two\n"
    )
    printed = capsys.readouterr().out
    assert "corpus asr: 2 train, 1 dev, 1 test" in printed
    assert "2 left out: unreadable" in printed and str(tmp_path / "left_out.txt") in printed
    assert "train: 2, published for the full corpus: 3" in printed and "dev: 1, published" not in printed


def test_published_counts_and_an_empty_set(tmp_path, capsys):
    with pytest.raises(SureError, match="corpus asr: the set extra is empty"):
        selection(sets=("train", "dev", "test", "extra")).write(tmp_path)
    assert not (tmp_path / "train").exists() and "as published" not in capsys.readouterr().out
    selection(published={"train": 2, "dev": 1, "test": 1}).write(tmp_path)
    assert "as published for the full corpus" in capsys.readouterr().out


def test_lists_of_sets(tmp_path):
    for name in SETS:
        (tmp_path / f"{name}.txt").write_text(f"{name}-1\n{name}-2\n")
    assert read_lists(tmp_path) == {f"{name}-{number}": name for name in SETS for number in (1, 2)}
    (tmp_path / "dev.txt").write_text("train-1\n")
    with pytest.raises(SureError, match="dev.txt: train-1 is also in the train list"):
        read_lists(tmp_path)


@pytest.mark.parametrize(("count", "at_least", "expected"), [
    (0, 1, []), (1, 1, ["test"]), (2, 1, ["dev", "test"]), (9, 0, ["train"] * 9),
    (25, 0, ["train"] * 21 + ["dev"] * 2 + ["test"] * 2), (25, 1, ["train"] * 21 + ["dev"] * 2 + ["test"] * 2),
])  # fmt: skip
def test_the_last_tenths_are_dev_and_test(count, at_least, expected):
    names = [f"{number:02}" for number in range(count)]
    assert last_tenths(names, at_least) == dict(zip(names, expected, strict=True))


def test_keys_with_several_values_contradict():
    values, contradicting = agreeing([("b", 1), ("c", 1), ("a", 1), ("b", 1), ("a", 2), ("a", 1)])
    assert list(values.items()) == [("b", 1), ("c", 1)] and contradicting == ["a"]
