"""egs/librispeech_100: damaged transcripts, converted audio and other layouts."""

from harness import Case, changes, copy, edit, layout, move, remove, write

CHAPTER, DEV = "train-clean-100/103/1241", "dev-clean/1272/128104"
TRANSCRIPT = f"{CHAPTER}/103-1241.trans.txt"
SUBSETS = ("train-clean-100", "dev-clean", "test-clean")
test_changes = changes({
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
        [edit(f"{DEV}/1272-128104.trans.txt", lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n") + b"\r\n")]),
    "no dev set": Case(remove("dev-clean"), error="no transcripts of dev-clean: looked for .*; unpack dev-clean.tar"),
    "no second test set": Case(remove("test-other"), {"test_other": "true"}, error="no transcripts of test-other"),
    "without the folder LibriSpeech": layout([move(name, f"apart/{name}") for name in SUBSETS], "apart"),
    "each archive apart": layout([move(name, f"apart/{name}/LibriSpeech/{name}") for name in SUBSETS], "apart"),
    "each subset apart": layout([move(name, f"apart/{name}/{name}") for name in SUBSETS], "apart"),
})  # fmt: skip
