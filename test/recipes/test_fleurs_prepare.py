"""Promises of egs/fleurs/prepare.py, on miniatures of its archives and on other layouts of their files."""

from __future__ import annotations

import shutil
from pathlib import Path

import miniature
import pytest
from audio_files import write_audio
from speech import speech

from sure.data.data_dir import read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "fleurs"
TEXTS = {
    "train": ["he said no", "he said no", "it cost five dollars", "it all ends", "one thousand men", "go"],
    "dev": ["he is sad", "no men"],
    "test": ["so it ends", "it is five"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return miniature.make("fleurs", tmp_path_factory.mktemp("fleurs") / "made")


@pytest.fixture
def corpus(made, tmp_path) -> Path:
    for lang in ("en_us", "de_de"):
        shutil.copytree(made / lang, tmp_path / "corpus" / lang)
    return tmp_path / "corpus"


def prepare(corpus: Path, out: Path, **options: str) -> dict[str, dict[str, str]]:
    """set -> id -> text."""
    folders = load_prepare(RECIPE / "prepare.py")(corpus, out, **options)
    assert folders == [out / "train", out / "dev", out / "test"]
    for folder in folders:
        assert not validate_data_dir(folder, on_bad_utterance="stop").removed
    return {folder.name: {u.id: u.text for u in read_data_dir(folder)} for folder in folders}


def left_out(out: Path) -> list[list[str]]:
    return [line.split("\t", 1) for line in (out / "left_out.txt").read_text().splitlines()]


def test_texts_and_ids(corpus, tmp_path, capsys):
    sets = prepare(corpus, tmp_path / "out")
    assert {name: list(texts.values()) for name, texts in sets.items()} == TEXTS
    assert list(sets["train"])[:2] == ["en_us-10001", "en_us-10002"]  # one sentence, two recordings
    assert "train: 6, published for the full corpus: 2602" in capsys.readouterr().out
    assert left_out(tmp_path / "out") == [
        ["recordings without a usable row", str(corpus / "en_us/audio/train/99999.wav")],
        ["rows without a recording", "train 10007.wav"],
    ]


def test_a_language_without_number_words(corpus, tmp_path, capsys):
    sets = prepare(corpus, tmp_path / "out", lang="de_de")
    assert list(sets["train"].values()) == ["er sagt nein", "größe zählt", "wir gehen"]
    assert ["texts with digits, as there are no number words for de", "train 20002.wav"] in left_out(tmp_path / "out")
    assert "published" not in capsys.readouterr().out


def test_rows_that_cannot_be_read(corpus, tmp_path):
    with open(corpus / "en_us" / "train.tsv", "a") as file:
        file.write('1\t10001.wav\tHe said "no".\the said no\th |\t1\tMALE\n')  # as before
        file.write("9\t10003.wav\tAnother text.\tanother text\ta |\t1\tMALE\n")
        file.write("9\t10012.wav\tsix columns\tsix columns\ts |\t1\n\n")
        file.write("9\t10013.wav\t?!\t\t |\t1\tMALE\n")
    write_audio(corpus / "en_us" / "audio" / "train" / "10013.wav", speech("a"))
    train = prepare(corpus, tmp_path / "out")["train"]
    assert "en_us-10001" in train and "en_us-10003" not in train
    assert [reason for reason, _ in left_out(tmp_path / "out")] == [
        "recordings with several different rows",
        "recordings without a usable row",
        "recordings without a usable row",
        "rows without a recording",
        "rows without the 7 columns",
        "rows without words",
    ]


@pytest.mark.parametrize("layout", ["the language", "above", "archives as given", "lists apart", "without audio/"])
def test_other_layouts(corpus, tmp_path, layout):
    english, given = corpus / "en_us", corpus
    if layout == "the language":
        given = english
    elif layout == "above":
        given = tmp_path
    elif layout == "archives as given":  # data/en_us/audio/train.tar.gz unpacked where it lies
        shutil.move(corpus, tmp_path / "data")
        given = tmp_path
    elif layout == "lists apart":
        (corpus / "metadata" / "en_us").mkdir(parents=True)
        for path in english.glob("*.tsv"):
            shutil.move(path, corpus / "metadata" / "en_us")
    else:
        for path in list((english / "audio").iterdir()):
            shutil.move(path, english)
    sets = prepare(given, tmp_path / "out")
    assert {name: list(texts.values()) for name, texts in sets.items()} == TEXTS


def test_headers_and_byte_order_marks_are_no_rows(corpus, tmp_path):
    path = corpus / "en_us" / "train.tsv"
    columns = "id\tfile_name\traw_transcription\ttranscription\twords\tnum_samples\tgender"
    path.write_text(f"\ufeff{columns}\r\n" + path.read_text().replace("\n", "\r\n"), newline="")
    assert list(prepare(corpus, tmp_path / "out")["train"].values()) == TEXTS["train"]
    assert "columns" not in str(left_out(tmp_path / "out"))


def test_what_is_missing_is_said(corpus, tmp_path):
    with pytest.raises(SureError, match="lang=de: FLEURS has the languages af_za am_et"):
        prepare(corpus, tmp_path / "out", lang="de")
    with pytest.raises(SureError, match="no train.tsv of fr_fr there.*--corpus= --lang fr_fr fetches it"):
        prepare(corpus, tmp_path / "out", lang="fr_fr")
    with pytest.raises(SureError, match="this is the folder of de_de, not of en_us"):
        prepare(corpus / "de_de", tmp_path / "out")
    (corpus / "en_us" / "dev.tsv").unlink()
    with pytest.raises(SureError, match="no dev.tsv of en_us there"):
        prepare(corpus, tmp_path / "out")
