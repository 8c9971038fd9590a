"""ESD as its archive unpacks: three speakers, one without folders of sets, and transcripts in three encodings."""

from __future__ import annotations

import codecs
from pathlib import Path

from audio_files import write_audio
from speech import speech

TOP = "Emotional Speech Dataset (ESD)/Emotion Speech Dataset"
# emotion -> number before its first file
EMOTIONS = {"Neutral": 0, "Angry": 350, "Happy": 700, "Sad": 1050, "Surprise": 1400}
CHINESE = {"Neutral": "中立", "Angry": "生气", "Happy": "快乐", "Sad": "伤心", "Surprise": "惊喜"}
ENGLISH_TEXTS = {1: "No, it’s Tom.", 21: "A little bird.", 51: "Let the glass be."}  # position in an emotion -> text
MANDARIN_TEXTS = {1: "打远一看。", 21: "他们来了。", 51: "我不知道。"}
FOLDERS = {1: "evaluation", 21: "test", 51: "train"}


def make(folder: Path) -> None:
    top = folder / TOP
    _recordings(top / "0001", "0001", MANDARIN_TEXTS, in_sets=True)
    lines = _lines("0001", MANDARIN_TEXTS, CHINESE)
    (top / "0001/0001.txt").write_bytes("\r\n".join(lines).encode("gb18030"))

    _recordings(top / "0011", "0011", ENGLISH_TEXTS, in_sets=True)
    (top / "0011/Angry/train/._0011_000401.wav").write_bytes(b"Mac OS X")
    lines = _lines("0011", ENGLISH_TEXTS)
    lines[0] = "0011_000001 No, it’s Tom. Neutral"  # spaces in place of tabs
    lines[1] = "0011_000021\tA little bird."  # no emotion
    lines[3] = "0011_000351\tNo, it’s Tom.\tangry"
    lines.append("0011_001700\tNobody recorded this.\tSurprise")
    (top / "0011/0011.txt").write_bytes(codecs.BOM_UTF16_LE + "\r\n".join(lines).encode("utf-16-le"))

    _recordings(top / "0012", "0012", ENGLISH_TEXTS, in_sets=False)
    lines = _lines("0012", ENGLISH_TEXTS)
    del lines[-1]  # the line of a recording
    (top / "0012/0012.txt").write_bytes("\n".join(["", *lines, ""]).encode("gb18030"))
    (folder / TOP / "ReadMe.txt").write_text("0011: English Male\n")


def _recordings(folder: Path, speaker: str, texts: dict[int, str], in_sets: bool) -> None:
    for emotion, first in EMOTIONS.items():
        for position, text in texts.items():
            place = folder / emotion / (FOLDERS[position] if in_sets else "")
            write_audio(place / f"{speaker}_{first + position:06d}.wav", speech(text, speaker + emotion))


def _lines(speaker: str, texts: dict[int, str], names: dict[str, str] | None = None) -> list[str]:
    return [
        f"{speaker}_{first + position:06d}\t{text}\t{names[emotion] if names else emotion}"
        for emotion, first in EMOTIONS.items()
        for position, text in texts.items()
    ]
