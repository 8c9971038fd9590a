"""egs/meld: encodings, damaged clips and rows, converted copies."""

from harness import Case, append, changes, copy, edit, layout, move, remove, rename, replace, write
from meld import FOLDERS

ASR = {"task": "asr"}
TABLE, DEV = "train_sent_emo.csv", "dev_sent_emo.csv"


def encoded(function):
    return [edit(f"{name}_sent_emo.csv", function) for name in FOLDERS]


def converted(name):
    """Clips as wav, in folders whose name is made of the set or of the folder."""
    places = {folder: f"../mine/data/{name.format(set=key, folder=folder)}" for key, folder in FOLDERS.items()}
    places |= {file: f"../mine/data/{file}" for file in (f"{key}_sent_emo.csv" for key in FOLDERS)}
    return [rename("*/*.mp4", lambda clip: clip.replace(".mp4", ".wav")), *(move(*place) for place in places.items())]


test_changes = changes({
    "an empty clip": Case(write("train_splits/dia0_utt0.mp4"), gone="train_dia0_utt0",
                          left_out={"clips of 0 bytes": "train_splits/dia0_utt0.mp4",
                                    "rows without a clip": "train_dia0_utt0"}),
    "two formats": Case(copy("train_splits/dia0_utt1.mp4", "train_splits/dia0_utt1.wav"),
                        left_out={"clips that are there in another format": "train_splits/dia0_utt1.wav"}),
    "an emotion in other letters": Case(replace(TABLE, "joy", " Joy ")),
    "another emotion": Case(replace(TABLE, "joy,neutral,0,1", "Anger,,0,1"), labels={"train_dia0_utt1": "anger"}),
    "an unknown emotion": Case(replace(TABLE, "sadness", "bored"), gone="train_dia0_utt2",
                               left_out={"rows with an unknown emotion": "train_dia0_utt2"}),
    "an unknown emotion in asr": Case(replace(TABLE, "sadness", "bored"), ASR),
    "no words": Case(replace(TABLE, "Hi!", "..."), ASR, gone="train_dia0_utt3",
                     left_out={"rows without words": "train_dia0_utt3"}),
    "no words, but an emotion": Case(replace(TABLE, "Hi!", "...")),
    "no speaker": Case(replace(TABLE, "Ross and Rachel,sur", ",sur"), speakers={"train_dia0_utt4": "unknown"}),
    "numbers of a spreadsheet": Case(replace(TABLE, "surprise,neutral,0,4,", "surprise,neutral,0.0, 4.0 ,")),
    "two rows, one without a number": Case(
        append(TABLE, "6,Ow!,Ross,fear,neutral,0,5\r\n9,Hm,Ross,joy,neutral,,\r\n"), left_out={
            "rows for a clip that has one already": f"{TABLE}:12: dia0_utt5",
            "rows without a dialogue and utterance number": f"{TABLE}:13"}),
    "a short row": Case(append(TABLE, "9,Hm,Ross,joy\r\n"), error="train_sent_emo.csv, line 12: 4 cells, but"),
    "UTF-8": Case(encoded(lambda text: text.decode("cp1252").encode()), ASR),
    "UTF-8 with a mark": Case(encoded(lambda text: text.decode("cp1252").encode("utf-8-sig")), ASR),
    "U+0092 for an apostrophe": Case(encoded(lambda text: text.decode("latin-1").encode()), ASR),  # the repository's
    "nothing of a set": Case(remove("train_splits", TABLE),
                             error=r"not found.*: train_sent_emo\.csv, train_splits/dia.*unpack those too"),
    "another table": Case(write(DEV, "Utterance;Emotion\nHi;joy\n"),
                          error=r"dev_sent_emo\.csv, line 1: no column 'Dialogue_ID'; .*; found 'Utterance'"),
    "an empty table": Case(write(DEV), error=r"dev_sent_emo\.csv, line 1"),
    "sets of wav": layout(converted("{set}"), "../mine"),
    "folders of wav": layout(converted("{folder}_wav"), "../mine"),
})  # fmt: skip
