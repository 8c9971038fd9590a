"""egs/fleurs/prepare.py on miniatures of its archives, and on other layouts of their files."""

from audio_files import write_audio
from harness import Case, append, edit, move, remove, table
from speech import speech

RECIPE = "fleurs"
LIST = "en_us/train.tsv"
COLUMNS = "id\tfile_name\traw_transcription\ttranscription\twords\tnum_samples\tgender"


def test_texts_and_ids(prepared):
    result = prepared()
    assert {name: [one.text for one in utterances.values()] for name, utterances in result.sets.items()} == {
        "train": ["he said no", "he said no", "it cost five dollars", "it all ends", "one thousand men", "go"],
        "dev": ["he is sad", "no men"],
        "test": ["so it ends", "it is five"],
    }
    assert result.ids["train"][:2] == ["en_us-10001", "en_us-10002"]  # one sentence, two recordings
    assert result.of("audio")["en_us-10002"].endswith("en_us/audio/train/10002.wav")
    assert "train: 6, published for the full corpus: 2602" in result.printed
    assert result.left_out == [
        ("recordings without a usable row", "en_us/audio/train/99999.wav"),
        ("rows without a recording", "train 10007.wav"),
    ]


def test_a_language_without_number_words(prepared):
    result = prepared(lang="de_de")
    assert [one.text for one in result.sets["train"].values()] == ["er sagt nein", "größe zählt", "wir gehen"]
    assert ("texts with digits, as there are no number words for de", "train 20002.wav") in result.left_out
    assert "published" not in result.printed


@table({
    "the same row again": Case(append(LIST, '1\t10001.wav\tHe said "no".\the said no\th |\t1\tMALE\n')),
    "another row": Case(
        append(LIST, "9\t10003.wav\tAnother text.\tanother text\ta |\t1\tMALE\n"), gone="en_us-10003",
        left_out={"recordings with several different rows": "train.tsv 10003.wav",
                  "recordings without a usable row": "en_us/audio/train/10003.wav"}),
    "six columns": Case(append(LIST, "9\t10012.wav\tsix columns\tsix columns\ts |\t1\n\n"), left_out={
        "rows without the 7 columns": "train.tsv, line 8: 9 10012.wav six columns six columns s | 1"}),
    "no file": Case(append(LIST, "9\t\tA text.\ta text\ta |\t1\tMALE\n"), left_out={
        "rows without the 7 columns": "train.tsv, line 8: 9 A text. a text a | 1 MALE"}),
    "no words": Case([append(LIST, "9\t10013.wav\t?!\t\t |\t1\tMALE\n"),
                      lambda corpus: write_audio(corpus / "en_us/audio/train/10013.wav", speech("a"))],
                     left_out={"rows without words": "train 10013.wav"}),
    "a header, a mark and other line ends": Case(
        edit(LIST, lambda text: f"\ufeff{COLUMNS}\r\n".encode() + text.replace(b"\n", b"\r\n"))),
    "not UTF-8": Case(append(LIST, b"\xff"), error="train.tsv: cannot be read as UTF-8 text"),
    "another language": Case(options={"lang": "fr_fr"}, error="no train.tsv of fr_fr there.*--lang fr_fr fetches it"),
    "the folder of another": Case(given="de_de", error="this is the folder of de_de, not of en_us"),
    "no list": Case(remove("en_us/dev.tsv"), error="no dev.tsv of en_us there"),
})  # fmt: skip
def test_a_change(check, case):
    check(case)


LISTS = ("train.tsv", "dev.tsv", "test.tsv")


@table({
    "the language": ([], "en_us"),
    "above": ([], ".."),
    "archives as given": (move("", "../data"), "../data"),  # data/en_us/audio/train.tar.gz unpacked where it lies
    "lists apart": ([move(f"en_us/{name}", f"metadata/en_us/{name}") for name in LISTS], ""),
    "without audio/": ([move(f"en_us/audio/{name}", f"en_us/{name}") for name in ("train", "dev", "test")], ""),
})  # fmt: skip
def test_layouts(check, case):
    check(*case)
