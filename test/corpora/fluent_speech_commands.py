"""Fluent Speech Commands: three tables whose first column has no name, and a folder of recordings for every speaker."""

from __future__ import annotations

import csv
import uuid
from pathlib import Path

from audio_files import write_audio
from speech import speech

TOP = "fluent_speech_commands_dataset"
COMMANDS = {  # text -> action, object, location
    "Turn on the lights": ("activate", "lights", "none"),
    "Kitchen heat up": ("increase", "heat", "kitchen"),
    "Set language to Chinese": ("change language", "Chinese", "none"),
    "OK now switch the main language to German": ("change language", "German", "none"),
}
SPEAKERS = {
    "train": ["2BqVo8kVB2Skwgyb", "4BrX8aDqK2cLZRYl"],
    "valid": ["2ojo7YRL7Gck83Z3"],
    "test": ["4aGjX3AG5xcxeL7a"],
}
COLUMNS = ["", "path", "speakerId", "transcription", "action", "object", "location"]


def make(folder: Path) -> None:
    """Write the unpacked corpus, one folder below."""
    make_tree(folder / TOP)


def make_tree(top: Path) -> Path:
    for name, speakers in SPEAKERS.items():
        pairs = [(speaker, text) for speaker in speakers for text in COMMANDS]
        write_table(top / "data" / f"{name}_data.csv", [row(*pair) for pair in pairs])
        for speaker, text in pairs:
            write_audio(top / path_of(speaker, text), speech(text[:8], speaker))
    (top / "data" / "speaker_demographics.csv").write_text("speakerId,gender\n2BqVo8kVB2Skwgyb,female\n")
    (top / "readme.md").write_text("# Fluent Speech Commands\n")
    return top


def path_of(speaker: str, text: str) -> str:
    return f"wavs/speakers/{speaker}/{uuid.uuid5(uuid.NAMESPACE_OID, speaker + text)}.wav"


def row(speaker: str, text: str) -> list[str]:
    return [path_of(speaker, text), speaker, text, *COMMANDS[text]]


def write_table(path: Path, rows: list[list[str]], columns: list[str] = COLUMNS, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([number, *given] for number, given in enumerate(rows))
