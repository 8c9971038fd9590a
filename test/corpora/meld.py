"""MELD as its archive: three archives inside, tables in Windows' encoding, and clips with known faults."""

from pathlib import Path

from miniature import pack, table, write_files
from speech import speech

ROOT = "MELD.Raw"
FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID".split(",")
EMOTIONS = ("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust")
TEXTS = ("No, I’m fine.", 'He said "Quack"—', "Oh…  you’re here?", "Hi!", "Wait\nfor it.", "Ow!", "You’ve 2 left.")
CUT_SHORT, FULL_TEXT = (130, 0), "And we were only looking around in here, you and me, when it fell!"
SPEAKERS = ("Monica", "Ross and Rachel", "Joey’s Doctor")
KEYS = {  # set -> dialogue and utterance
    "train": [*((0, number) for number in range(7)), (125, 3), CUT_SHORT],
    "dev": [(0, 0), (0, 1), (3, 0), (110, 7)],
    "test": [(0, 0), (0, 1), (2, 0)],
}


def make(folder: Path) -> None:
    """Write the archive of sources.yaml, and its unpacked content."""
    raw, tables = folder / ROOT, {name: f"{name}_sent_emo.csv" for name in KEYS}
    for name, keys in KEYS.items():
        rows, clips = [HEADER], {}
        for number, (dialogue, utterance) in enumerate(keys):
            text, speaker = TEXTS[number % 7], SPEAKERS[number % 3]
            whole, spoken = (FULL_TEXT, "") if (dialogue, utterance) == CUT_SHORT else (text, text)
            rows.append([number + 1, whole, speaker, EMOTIONS[number % 7], "neutral", dialogue, utterance])
            clips[f"{FOLDERS[name]}/dia{dialogue}_utt{utterance}.mp4"] = speech(spoken, speaker)
            clips[f"{FOLDERS[name]}/._dia{dialogue}_utt{utterance}.mp4"] = b"Mac OS X"
        write_files(raw, {tables[name]: table(rows, lineterminator="\r\n").encode("cp1252")} | clips)
    (raw / "dev_splits_complete/dia110_utt7.mp4").unlink()
    more = {
        "train_splits/dia125_utt3.mp4": b"\0\0\0\x18ftypmp42" + bytes(400),  # it ends in its header
        "dev_splits_complete/dia66_utt9.mp4": speech("no row"),
        "output_repeated_splits_test/final_videos_testdia0_utt1.mp4": speech("another"),
    }
    write_files(raw, more)
    for name, clips in FOLDERS.items():
        pack(raw / f"{name}.tar.gz", raw, clips, *[tables["train"]] * (name == "train"))
    names = [tables["dev"], tables["test"], *(f"{name}.tar.gz" for name in FOLDERS)]
    pack(folder / "MELD.Raw.tar.gz", folder, *(f"MELD.Raw/{name}" for name in names))
