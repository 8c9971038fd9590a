"""egs/libritts/prepare.py on a miniature of the corpus."""

import libritts
import pytest
from harness import SETS, Case, copy, move, remove, table, write

RECIPE = "libritts"
build = libritts.make_tree
FIRST, TOP = "103_1031_000000_000001", "LibriTTS/train-clean-100"
CHAPTER, LAST = f"{TOP}/103/1031", ("103_1031_000002_000008", "103_1031_000002_000009")


def test_each_reader_in_each_set(prepared):
    result = prepared()
    assert (result.of("speaker")[FIRST], result.of("text")[FIRST]) == ("103", "It is I, two of us.")
    assert result.ids["dev"] == ["103_1031_000002_000008", "19_191_000002_000008"]
    assert result.ids["test"] == ["103_1031_000002_000009", "19_191_000002_000009"]
    assert len(result.ids["train"]) == 8 + 8 + 2
    assert result.left_out == [
        ("files that are neither recording nor text", "19/191/19_191.pcm"),
        ("recordings without a text", "26/261/26_261_000000_000002.wav"),
    ]
    assert "3 speakers, 22 utterances; the whole subset has 33,236" in result.printed


def test_no_reader_in_two_sets(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(libritts, "READERS", {str(reader): 1 for reader in range(20)})
    libritts.make_tree(tmp_path / "corpus")
    readers = prepared(tmp_path / "corpus", split="speaker").values("speaker")
    assert [len(readers[name]) for name in SETS] == [16, 2, 2] and len(set.union(*readers.values())) == 20


@table({
    "two formats": Case(copy(f"{CHAPTER}/{FIRST}.wav", f"{CHAPTER}/{FIRST}.flac"), audio={FIRST: ".flac"},
                        left_out={"recordings that are there twice": f"103/1031/{FIRST}.wav"}),
    "another speaker's folder": Case(
        [move(f"{CHAPTER}/{FIRST}.{end}", f"{TOP}/26/261/{FIRST}.{end}") for end in ("wav", "normalized.txt")],
        gone=FIRST, sets=dict.fromkeys(LAST, "train"),  # nine utterances have no tenth
        left_out={"recordings in the folder of another speaker": f"26/261/{FIRST}.wav"}),
    "an empty text": Case(write(f"{CHAPTER}/{FIRST}.normalized.txt", " \n"), gone=FIRST,
                          sets=dict.fromkeys(LAST, "train"),
                          left_out={"recordings without a text": f"103/1031/{FIRST}.wav"}),
    "no corpus": Case(remove("LibriTTS"), error="no recordings of LibriTTS"),
})  # fmt: skip
def test_a_change(check, case):
    check(case)


@pytest.mark.parametrize("given", ["LibriTTS", TOP])
def test_the_folder_may_be_below(check, given):
    check([], given)
