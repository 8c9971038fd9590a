"""egs/meld: encodings, damaged clips and rows, converted copies."""

import csv
import io

from audio_files import tone, write_audio
from harness import Case, changes, copy, edit, layout, remove, write
from meld import FOLDERS
from miniature import table

RECIPE = "meld"
ASR = {"task": "asr"}
TABLE, DEV = "train_sent_emo.csv", "dev_sent_emo.csv"


def rows(change):
    """Other rows in the training table: `change` takes and returns the rows."""

    def rewritten(content):
        old = list(csv.DictReader(io.StringIO(content.decode("cp1252"), newline="")))
        return table([old[0], *(row.values() for row in change(old))]).encode("cp1252")

    return edit(TABLE, rewritten)


def row(number, **cells):
    return rows(lambda old: [row | cells if place == number else row for place, row in enumerate(old)])


def encoded(function):
    return [edit(f"{name}_sent_emo.csv", function) for name in FOLDERS]


def converted(name):
    """Clips as wav, in folders whose name is made of the set or of the folder."""

    def change(corpus):
        for key, folder in FOLDERS.items():
            for clip in (corpus / folder).glob("*.mp4"):
                wav = corpus.parent / "mine/data" / name.format(set=key, folder=folder) / f"{clip.stem}.wav"
                write_audio(wav, tone(0.2))
            (corpus / f"{key}_sent_emo.csv").rename(corpus.parent / f"mine/data/{key}_sent_emo.csv")

    return change


SHORT = {"Sr No.": "9", "Utterance": "Hm", "Speaker": "Ross", "Emotion": "joy"}
test_changes = changes({
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
    "two rows, a short row": Case(rows(lambda old: [*old, old[5], SHORT]), left_out={
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
    "sets of wav": layout(converted("{set}"), "../mine"),
    "folders of wav": layout(converted("{folder}_wav"), "../mine"),
})  # fmt: skip
