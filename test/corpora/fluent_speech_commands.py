"""Fluent Speech Commands: three tables whose first column has no name, and a folder of recordings for every speaker."""

import uuid
from pathlib import Path

from miniature import table, write_files
from speech import speech

ROOT = "fluent_speech_commands_dataset"
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
    for name, speakers in SPEAKERS.items():
        rows = [row(speaker, text) for speaker in speakers for text in COMMANDS]
        numbered = table([COLUMNS, *([number, *cells] for number, cells in enumerate(rows))])
        sounds = {path: speech(text[:8], speaker) for path, speaker, text, *_ in rows}
        write_files(folder / ROOT, sounds | {f"data/{name}_data.csv": numbered})


def path_of(speaker: str, text: str) -> str:
    return f"wavs/speakers/{speaker}/{uuid.uuid5(uuid.NAMESPACE_OID, speaker + text)}.wav"


def row(speaker: str, text: str) -> list[str]:
    return [path_of(speaker, text), speaker, text, *COMMANDS[text]]
