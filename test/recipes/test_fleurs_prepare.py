"""egs/fleurs: damaged lists and other layouts of its files."""

from harness import SETS, Case, append, changes, copy, edit, layout, move, remove

LIST, WAVS = "en_us/train.tsv", "en_us/audio/train"
COLUMNS = "id\tfile_name\traw_transcription\ttranscription\twords\tnum_samples\tgender"
test_changes = changes({
    "the same row again": Case(append(LIST, '1\t10001.wav\tHe said "no".\the said no\th |\t1\tMALE\n')),
    "another row": Case(
        append(LIST, "9\t10003.wav\tAnother text.\tanother text\ta |\t1\tMALE\n"), gone="en_us-10003",
        left_out={"recordings with several different rows": "train.tsv 10003.wav",
                  "recordings without a usable row": f"{WAVS}/10003.wav"}),
    "six columns": Case(append(LIST, "9\t10012.wav\tsix columns\tsix columns\ts |\t1\n\n"),
                        error="train.tsv, line 8: expected 7 cells .*10012.wav"),
    "no file": Case(append(LIST, "9\t\tA text.\ta text\ta |\t1\tMALE\n"), error="train.tsv, line 8: expected 7 cells"),
    "no words": Case([append(LIST, "9\t10013.wav\t?!\t\t |\t1\tMALE\n"),
                      copy(f"{WAVS}/10001.wav", f"{WAVS}/10013.wav")],
                     left_out={"rows without words": "train 10013.wav"}),
    "a header, a mark and other line ends": Case(
        edit(LIST, lambda text: f"\ufeff{COLUMNS}\r\n".encode() + text.replace(b"\n", b"\r\n"))),
    "another language": Case(options={"lang": "fr_fr"}, error="no train.tsv of fr_fr there.*--lang fr_fr fetches it"),
    "the folder of another": Case(given="de_de", error="this is the folder of de_de, not of en_us"),
    "no list": Case(remove("en_us/dev.tsv"), error="no dev.tsv of en_us there"),
    "the language": layout((), "en_us"),
    "archives as given": layout(move("", "../data"), "../data"),  # data/en_us/audio/train.tar.gz unpacked where it lies
    "lists apart": layout([move(f"en_us/{name}.tsv", f"metadata/en_us/{name}.tsv") for name in SETS]),
    "without audio/": layout([move(f"en_us/audio/{name}", f"en_us/{name}") for name in SETS]),
})  # fmt: skip
