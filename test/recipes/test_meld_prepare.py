"""Promises of egs/meld/prepare.py, on a miniature of the corpus and on other layouts of it."""

import csv
import shutil
from pathlib import Path

import miniature
import pytest
from audio_files import tone, write_audio

from sure.corpus.sources import read_sources
from sure.data.audio import AudioError, audio_seconds
from sure.data.data_dir import Utterance, read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "meld"
prepare = load_prepare(RECIPE / "prepare.py")
FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
SETS = tuple(FOLDERS)


@pytest.fixture(scope="module")
def miniature_corpus(tmp_path_factory) -> Path:
    return miniature.make("meld", tmp_path_factory.mktemp("meld") / "a corpus")


@pytest.fixture
def corpus(miniature_corpus, tmp_path) -> Path:
    """One to change: MELD.Raw."""
    shutil.copytree(miniature_corpus / "MELD.Raw", tmp_path / "MELD.Raw")
    return tmp_path / "MELD.Raw"


def prepared(corpus: Path, out: Path, **options) -> dict[str, dict[str, Utterance]]:
    assert [folder.name for folder in prepare(corpus, out, **options)] == list(SETS)
    return {name: {u.id: u for u in read_data_dir(out / name)} for name in SETS}


def left_out(out: Path) -> list[tuple[str, str]]:
    return [(reason, Path(item).name) for reason, item in
            (line.split("\t") for line in (out / "left_out.txt").read_text().splitlines())]  # fmt: skip


def test_emotions_speakers_and_clips(miniature_corpus, tmp_path):
    found = prepared(miniature_corpus, tmp_path)
    emotions = ["neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust"]
    assert [u.labels["label"] for u in found["train"].values()] == [*emotions, "joy"]
    assert list(found["dev"]) == ["dev_dia0_utt0", "dev_dia0_utt1", "dev_dia3_utt0"]
    assert list(found["test"]) == ["test_dia0_utt0", "test_dia0_utt1", "test_dia2_utt0"]
    assert [u.speaker for u in found["dev"].values()] == ["Monica", "Ross_and_Rachel", "Joey’s_Doctor"]
    assert Path(found["test"]["test_dia2_utt0"].audio).parts[-2:] == ("output_repeated_splits_test", "dia2_utt0.mp4")


def test_every_clip_and_every_row_is_accounted_for(miniature_corpus, tmp_path, capsys):
    prepared(miniature_corpus, tmp_path)
    assert left_out(tmp_path) == [
        ("clips known to be broken", "train_dia125_utt3"),
        ("clips without a row in the table", "dia66_utt9.mp4"),
        ("clips without a row in the table", "final_videos_testdia0_utt1.mp4"),
        ("rows without a clip", "dev_dia110_utt7"),
    ]
    assert "train: 8, published for the full corpus: 9988" in capsys.readouterr().out
    with pytest.raises(AudioError):  # so the miniature shows what the list in prepare.py is for
        audio_seconds(next(miniature_corpus.rglob("train_splits/dia125_utt3.mp4")))


def test_texts_have_their_apostrophes(miniature_corpus, tmp_path):
    texts = [u.text for u in prepared(miniature_corpus, tmp_path, task="asr")["train"].values()]
    assert texts[:7] == ["no i'm fine", "he said quack", "oh you're here", "hi", "wait for it", "ow", "you've two left"]


@pytest.mark.parametrize("task, removed", [("emotion", []), ("asr", ["train_dia130_utt0"])])
def test_clips_that_are_shorter_than_their_text_are_left_out_of_asr(miniature_corpus, tmp_path, task, removed):
    prepared(miniature_corpus, tmp_path, task=task)
    report = validate_data_dir(tmp_path / "train", on_bad_utterance="skip")
    assert [(problem.id, problem.reason) for problem in report.removed] == [
        (id, "text too long for its audio") for id in removed
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1 as utf-8"])
def test_tables_in_other_encodings(corpus, tmp_path, encoding):
    wanted = prepared(corpus, tmp_path / "as published", task="asr")
    for table in corpus.glob("*.csv"):
        content = table.read_bytes()
        if encoding == "latin-1 as utf-8":  # as in the repository: U+0092 for an apostrophe
            table.write_bytes(content.decode("latin-1").encode())
        else:
            table.write_bytes(content.decode("cp1252").encode(encoding))
    found = prepared(corpus, tmp_path / "other", task="asr")
    assert {id: (u.text, u.speaker) for id, u in found["train"].items()} == {
        id: (u.text, u.speaker) for id, u in wanted["train"].items()
    }


@pytest.mark.parametrize("called", ["{set}", "{folder}_wav"])
def test_layouts_that_people_make(corpus, tmp_path, called):
    wanted = prepared(corpus, tmp_path / "as published")
    other = tmp_path / "mine" / "data"
    for name, folder in FOLDERS.items():
        wavs = other / called.format(set=name, folder=folder)
        for clip in (corpus / folder).glob("dia*.mp4"):
            write_audio(wavs / f"{clip.stem}.wav", tone(0.2))
        (corpus / f"{name}_sent_emo.csv").rename(other / f"{name}_sent_emo.csv")
    found = prepared(tmp_path / "mine", tmp_path / "out")
    assert {name: list(utterances) for name, utterances in found.items()} == {
        name: list(utterances) for name, utterances in wanted.items()
    }


def test_rows_and_clips_with_other_faults(corpus, tmp_path):
    (corpus / "train_splits/dia0_utt0.mp4").write_bytes(b"")
    shutil.copy(corpus / "train_splits/dia0_utt1.mp4", corpus / "train_splits/dia0_utt1.wav")
    with open(corpus / "train_sent_emo.csv", newline="", encoding="cp1252") as file:
        header, *rows = csv.reader(file)
    rows[1][header.index("Emotion")] = " Joy "
    rows[2][header.index("Emotion")] = "bored"
    rows[3][header.index("Utterance")] = "..."
    rows[4][header.index("Speaker")] = ""
    rows += [rows[5], ["9", "Hm", "Ross", "joy"]]
    with open(corpus / "train_sent_emo.csv", "w", newline="", encoding="cp1252") as file:
        csv.writer(file).writerows([header, *rows])
    found = prepared(corpus, tmp_path / "emotion")["train"]
    assert list(found) == [*(f"train_dia0_utt{number}" for number in (1, 3, 4, 5, 6)), "train_dia130_utt0"]
    assert found["train_dia0_utt1"].labels == {"label": "joy"} and found["train_dia0_utt4"].speaker == "unknown"
    reasons = [reason for reason, _ in left_out(tmp_path / "emotion")]
    assert set(reasons) >= {
        "clips of 0 bytes",
        "clips that are there in another format",
        "rows with an unknown emotion",
        "rows without a clip",
        "rows for a clip that has one already",
        "rows without a dialogue and utterance number",
    }
    texts = prepared(corpus, tmp_path / "asr", task="asr")["train"]
    assert "train_dia0_utt2" in texts and "train_dia0_utt3" not in texts
    assert ("rows without words", "train_dia0_utt3") in left_out(tmp_path / "asr")


def test_what_is_missing_is_named(corpus, tmp_path):
    shutil.rmtree(corpus / "train_splits")
    (corpus / "train_sent_emo.csv").unlink()
    with pytest.raises(SureError, match=r"not found.*: train_sent_emo\.csv, train_splits/dia.*unpack those too"):
        prepare(corpus, tmp_path / "out")
    with pytest.raises(SureError, match="task=speaker: the meld recipe has the tasks emotion asr"):
        prepare(corpus, tmp_path / "out", task="speaker")


def test_a_table_of_another_kind_is_named(corpus, tmp_path):
    (corpus / "dev_sent_emo.csv").write_text("Utterance;Emotion\nHi;joy\n")
    with pytest.raises(SureError, match=r"dev_sent_emo\.csv, line 1: expected the columns .* there is no Utterance"):
        prepare(corpus, tmp_path / "out")
    (corpus / "dev_sent_emo.csv").write_text("")
    with pytest.raises(SureError, match=r"dev_sent_emo\.csv, line 1"):
        prepare(corpus, tmp_path / "out")


def test_the_archives_inside_are_named(miniature_corpus):
    (archive,) = read_sources(RECIPE / "sources.yaml").items
    assert len(archive.nested) == 3 and archive.file_name == "MELD.Raw.tar.gz"
