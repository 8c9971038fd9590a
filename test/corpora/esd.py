"""ESD as its archive unpacks: three speakers, one without folders of sets, and transcripts in three encodings."""

from pathlib import Path

from miniature import write_files
from speech import speech

ROOT = "Emotional Speech Dataset (ESD)/Emotion Speech Dataset"
# emotion -> number before its first file
EMOTIONS = {"Neutral": 0, "Angry": 350, "Happy": 700, "Sad": 1050, "Surprise": 1400}
CHINESE = {"Neutral": "中立", "Angry": "生气", "Happy": "快乐", "Sad": "伤心", "Surprise": "惊喜"}
ENGLISH_TEXTS = {1: "No, it’s Tom.", 21: "A little bird.", 51: "Let the glass be."}  # position in an emotion -> text
MANDARIN_TEXTS = {1: "打远一看。", 21: "他们来了。", 51: "我不知道。"}
FOLDERS = {1: "evaluation/", 21: "test/", 51: "train/"}


def make(folder: Path) -> None:
    mandarin, english, third = (_speaker(folder / ROOT, name) for name in ("0001", "0011", "0012"))
    english[0] = "0011_000001 No, it’s Tom. Neutral"  # spaces in place of tabs
    english[1] = "0011_000021\tA little bird."  # no emotion
    english[3] = "0011_000351\tNo, it’s Tom.\tangry"
    english.append("0011_001700\tNobody recorded this.\tSurprise")
    files = {
        "ReadMe.txt": "0011: English Male\n",
        "0001/0001.txt": "\r\n".join(mandarin).encode("gb18030"),
        "0011/0011.txt": ("\ufeff" + "\r\n".join(english)).encode("utf-16-le"),
        "0012/0012.txt": "\n".join(["", *third[:-1], ""]).encode("gb18030"),  # without the line of a recording
    }
    write_files(folder / ROOT, files)


def _speaker(top: Path, speaker: str) -> list[str]:
    """Write the recordings. Returns the lines of the transcript."""
    texts, names = (MANDARIN_TEXTS, CHINESE) if speaker == "0001" else (ENGLISH_TEXTS, {})
    rows = []
    for emotion, first in EMOTIONS.items():
        for position, text in texts.items():
            id = f"{speaker}_{first + position:06d}"
            place = FOLDERS[position] if speaker != "0012" else ""
            write_files(top, {f"{speaker}/{emotion}/{place}{id}.wav": speech(text, speaker + emotion)})
            rows.append(f"{id}\t{text}\t{names.get(emotion, emotion)}")
    return rows
