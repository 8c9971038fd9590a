"""egs/meld/prepare.py on a miniature of the corpus: emotions, texts, encodings, damaged clips and rows."""

import csv
import io

import pytest
from audio_files import tone, write_audio
from harness import Case, copy, edit, remove, table, write

from sure.data.audio import AudioError, audio_seconds
from sure.data.validate import validate_data_dir

RECIPE, ROOT = "meld", "MELD.Raw"
FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
ASR = {"task": "asr"}


def test_emotions_speakers_and_clips(prepared, recipe):
    result = prepared()
    emotions = ["neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust"]
    assert [one.labels["label"] for one in result.sets["train"].values()] == [*emotions, "joy"]
    assert result.ids["dev"] == ["dev_dia0_utt0", "dev_dia0_utt1", "dev_dia3_utt0"]
    assert result.ids["test"] == ["test_dia0_utt0", "test_dia0_utt1", "test_dia2_utt0"]
    assert [one.speaker for one in result.sets["dev"].values()] == ["Monica", "Ross_and_Rachel", "Joey’s_Doctor"]
    assert result.of("audio")["test_dia2_utt0"].endswith("/output_repeated_splits_test/dia2_utt0.mp4")
    assert result.left_out == [
        ("clips known to be broken", "train_dia125_utt3"),
        ("clips without a row in the table", "dev_splits_complete/dia66_utt9.mp4"),
        ("clips without a row in the table", "output_repeated_splits_test/final_videos_testdia0_utt1.mp4"),
        ("rows without a clip", "dev_dia110_utt7"),
    ]
    assert "train: 8, published for the full corpus: 9988" in result.printed
    with pytest.raises(AudioError):  # the reason for BROKEN in prepare.py
        audio_seconds(next(recipe.corpus.rglob("train_splits/dia125_utt3.mp4")))


def test_texts_have_their_apostrophes(prepared):
    result = prepared(**ASR)
    texts = ["no i'm fine", "he said quack", "oh you're here", "hi", "wait for it", "ow", "you've two left"]
    assert [one.text for one in result.sets["train"].values()][:7] == texts
    assert set(result.of("label").values()) == {None}


@pytest.mark.parametrize("task, removed", [("emotion", []), ("asr", ["train_dia130_utt0"])])
def test_clips_that_are_shorter_than_their_text_are_left_out_of_asr(recipe, tmp_path, task, removed):
    recipe(recipe.corpus, tmp_path, task=task)
    report = validate_data_dir(tmp_path / "train", on_bad_utterance="skip")
    reason = "text too long for its audio"
    assert [(problem.id, problem.reason) for problem in report.removed] == [(id, reason) for id in removed]


def row(number, **cells):
    """Other cells in a row of the training table."""

    def change(content):
        rows = list(csv.DictReader(io.StringIO(content.decode("cp1252"), newline="")))
        return _table(rows[0], [old | cells if place == number else old for place, old in enumerate(rows)])

    return edit(TABLE, change)


def again(number):
    """A second row like one of the training table, and one of four cells."""

    def change(content):
        rows = list(csv.DictReader(io.StringIO(content.decode("cp1252"), newline="")))
        short = dict(zip(rows[0], ["9", "Hm", "Ross", "joy"], strict=False))
        return _table(rows[0], [*rows, rows[number], short])

    return edit(TABLE, change)


def _table(columns, rows):
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("cp1252")


def encoded(function):
    return [edit(f"{name}_sent_emo.csv", function) for name in FOLDERS]


TABLE, DEV = "train_sent_emo.csv", "dev_sent_emo.csv"
CASES = {
    "an empty clip": Case(write("train_splits/dia0_utt0.mp4"), gone="train_dia0_utt0",
                          left_out={"clips of 0 bytes": "train_splits/dia0_utt0.mp4",
                                    "rows without a clip": "train_dia0_utt0"}),
    "two formats": Case(copy("train_splits/dia0_utt1.mp4", "train_splits/dia0_utt1.wav"),
                        left_out={"clips that are there in another format": "train_splits/dia0_utt1.wav"}),
    "an emotion in other letters": Case(row(1, Emotion=" Joy ")),
    "another emotion": Case(row(1, Emotion="Anger"), labels={"train_dia0_utt1": "anger"}),
    "an unknown emotion": Case(row(2, Emotion="bored"), gone="train_dia0_utt2",
                               left_out={"rows with an unknown emotion": "train_dia0_utt2"}),
    "an unknown emotion in asr": Case(row(2, Emotion="bored"), ASR),
    "no words": Case(row(3, Utterance="..."), ASR, gone="train_dia0_utt3",
                     left_out={"rows without words": "train_dia0_utt3"}),
    "no words, but an emotion": Case(row(3, Utterance="...")),
    "no speaker": Case(row(4, Speaker=""), speakers={"train_dia0_utt4": "unknown"}),
    "numbers of a spreadsheet": Case(row(4, Dialogue_ID="0.0", Utterance_ID=" 4.0 ")),
    "two rows, a short row": Case(again(5), left_out={
        "rows for a clip that has one already": f"{TABLE}:12: dia0_utt5",
        "rows without a dialogue and utterance number": f"{TABLE}:13"}),
    "UTF-8": Case(encoded(lambda text: text.decode("cp1252").encode()), ASR),
    "UTF-8 with a mark": Case(encoded(lambda text: text.decode("cp1252").encode("utf-8-sig")), ASR),
    "U+0092 for an apostrophe": Case(encoded(lambda text: text.decode("latin-1").encode()), ASR),  # the repository's
    "nothing of a set": Case(remove("train_splits", TABLE),
                             error=r"not found.*: train_sent_emo\.csv, train_splits/dia.*unpack those too"),
    "another table": Case(write(DEV, "Utterance;Emotion\nHi;joy\n"),
                          error=r"dev_sent_emo\.csv, line 1: expected the columns .* there is no Utterance"),
    "an empty table": Case(write(DEV), error=r"dev_sent_emo\.csv, line 1"),
}  # fmt: skip


@table(CASES)
def test_a_change(check, case):
    check(case)


@pytest.mark.parametrize("called", ["{set}", "{folder}_wav"])
def test_layouts_that_people_make(recipe, corpus, prepared, called):
    other = corpus.parent / "mine" / "data"
    for name, folder in FOLDERS.items():
        wavs = other / called.format(set=name, folder=folder)
        for clip in (corpus / folder).glob("dia*.mp4"):
            write_audio(wavs / f"{clip.stem}.wav", tone(0.2))
        (corpus / f"{name}_sent_emo.csv").rename(other / f"{name}_sent_emo.csv")
    assert prepared(corpus.parent / "mine").of("label") == recipe.unchanged().of("label")
