"""MELD as its archive: three archives inside, tables in Windows' encoding, and clips with known faults."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path

from audio_files import write_audio
from speech import speech

FOLDERS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
HEADER = [
    *("Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"),
    *("Season", "Episode", "StartTime", "EndTime"),
]
EMOTIONS = ("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust")
TEXTS = ("No, I’m fine.", 'He said "Quack"—', "Oh…  you’re here?", "Hi!", "Wait\nfor it.", "Ow!", "You’ve 2 left.")
CUT_SHORT, SAID = (130, 0), "And we were only looking around in here, you and me, when it fell!"
SPEAKERS = ("Monica", "Ross and Rachel", "Joey’s Doctor")


def make(folder: Path) -> None:
    """Write the archive of sources.yaml, and its unpacked content."""
    raw = folder / "MELD.Raw"
    _set(raw, "train", [*((0, number) for number in range(7)), (125, 3), CUT_SHORT])
    (raw / "train_splits/dia125_utt3.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(400))  # it ends in its header
    _set(raw, "dev", [(0, 0), (0, 1), (3, 0), (110, 7)])
    (raw / "dev_splits_complete/dia110_utt7.mp4").unlink()
    _clip(raw / "dev_splits_complete/dia66_utt9.mp4", "no row")
    _set(raw, "test", [(0, 0), (0, 1), (2, 0)])
    _clip(raw / "output_repeated_splits_test/final_videos_testdia0_utt1.mp4", "another")
    (raw / "README.txt").write_text("MELD")
    _pack(raw / "train.tar.gz", [raw / "train_splits", raw / "train_sent_emo.csv"])
    _pack(raw / "dev.tar.gz", [raw / "dev_splits_complete"])
    _pack(raw / "test.tar.gz", [raw / "output_repeated_splits_test"])
    files = [raw / name for name in ("README.txt", "dev_sent_emo.csv", "test_sent_emo.csv")]
    archives = [raw / f"{name}.tar.gz" for name in FOLDERS]
    _pack(folder / "MELD.Raw.tar.gz", [*files, *archives], "MELD.Raw/")


def _set(raw: Path, name: str, keys: list[tuple[int, int]]) -> None:
    file = io.StringIO(newline="")
    table = csv.writer(file)
    table.writerow(HEADER)
    for number, (dialogue, utterance) in enumerate(keys):
        text, speaker = TEXTS[number % 7], SPEAKERS[number % 3]
        said, heard = (SAID, "") if (dialogue, utterance) == CUT_SHORT else (text, text)
        times = ["4", "7", "00:20:57,256", "00:21:00,049"]
        table.writerow([number + 1, said, speaker, EMOTIONS[number % 7], "neutral", dialogue, utterance, *times])
        clip = raw / FOLDERS[name] / f"dia{dialogue}_utt{utterance}.mp4"
        _clip(clip, heard, speaker)
        clip.with_name(f"._{clip.name}").write_bytes(b"Mac OS X")
    (raw / f"{name}_sent_emo.csv").write_bytes(file.getvalue().encode("cp1252"))


def _clip(path: Path, text: str, speaker: str = "") -> None:
    write_audio(path, speech(text, speaker))


def _pack(archive: Path, paths: list[Path], top: str = "") -> None:
    with tarfile.open(archive, "w:gz") as tar:
        for path in paths:
            tar.add(path, top + path.name)
