"""egs/librispeech_100/prepare.py on a miniature of the corpus in its layouts, quirks included."""

from harness import Case, copy, edit, move, remove, table, write

RECIPE, ROOT = "librispeech_100", "LibriSpeech"
CHAPTER, DEV = "train-clean-100/103/1241", "dev-clean/1272/128104"
TRANSCRIPT = f"{CHAPTER}/103-1241.trans.txt"


def test_ids_texts_and_speakers(prepared, recipe):
    result = prepared()
    assert [len(found) for found in result.sets.values()] == [9, 3, 3]
    one = result.sets["train"]["103-1241-0001"]
    assert (one.text, one.speaker) == ("A BIG DOG", "103")
    assert one.audio == str(recipe.corpus / f"{CHAPTER}/103-1241-0001.flac")
    assert result.ids["train"][-1] == "19-198-0002" and result.ids["dev"][0] == "1272-128104-0000"
    assert "train: 9, published for the full corpus: 28539" in result.printed
    assert result.left_out == [
        ("lines without a recording", "103-1240.trans.txt:4 103-1240-0008"),
        ("recordings without a line", "train-clean-100/103/1240/103-1240-0007.flac"),
    ]


def test_test_other_is_a_second_test_set(prepared):
    result = prepared(test_other="true")
    assert result.ids["test_other"] == [f"1688-142285-000{number}" for number in range(3)]
    assert "test_other: 3, published for the full corpus: 2939" in result.printed


@table({
    "damaged lines": Case(
        write(TRANSCRIPT, "103-1241-0000\n103-1241-0001 ONCE\n103-1241-0001 TWICE\n\n103-1241-0002 FINE\n"),
        texts={"103-1241-0001": "ONCE", "103-1241-0002": "FINE"}, gone="103-1241-0000",
        left_out={"lines without words": "103-1241.trans.txt:1 103-1241-0000",
                  "second lines of a recording": "103-1241.trans.txt:3 103-1241-0001"}),
    "no transcript": Case(
        remove("train-clean-100/19/198/19-198.trans.txt"), gone=[f"19-198-000{number}" for number in range(3)],
        left_out={"recordings without a line": [f"train-clean-100/19/198/19-198-000{n}.flac" for n in range(3)]}),
    "converted audio": Case(
        [move(f"{DEV}/1272-128104-0000.flac", f"{DEV}/1272-128104-0000.wav"),
         copy(f"{DEV}/1272-128104-0001.flac", f"{DEV}/1272-128104-0001.wav")],
        audio={"1272-128104-0000": "0000.wav", "1272-128104-0001": "0001.flac"}),
    "traces of other systems": Case(
        [edit(f"{DEV}/1272-128104.trans.txt", lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n") + b"\r\n"),
         write(f"{DEV}/._1272-128104-0000.flac", b"\0"), write(f"{DEV}/._1272-128104.trans.txt", b"\xff\xfe"),
         write("dev-clean/1272/.DS_Store")]),
    "not UTF-8": Case(write(TRANSCRIPT, b"103-1241-0000 \xff\n"), error="103-1241.trans.txt: cannot be read as UTF-8"),
    "no dev set": Case(remove("dev-clean"), error="no transcripts of dev-clean: looked for .*; unpack dev-clean.tar"),
    "no second test set": Case(remove("test-other"), {"test_other": "true"}, error="no transcripts of test-other"),
})  # fmt: skip
def test_a_change(check, case):
    check(case)


SUBSETS = ("train-clean-100", "dev-clean", "test-clean")


@table({
    "above": ([], ".."),
    "without the folder LibriSpeech": ([move(name, f"apart/{name}") for name in SUBSETS], "apart"),
    "each archive apart": ([move(name, f"apart/{name}/LibriSpeech/{name}") for name in SUBSETS], "apart"),
    "each subset apart": ([move(name, f"apart/{name}/{name}") for name in SUBSETS], "apart"),
})  # fmt: skip
def test_layouts(check, case):
    check(*case)
