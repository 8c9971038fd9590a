"""VCTK 0.92 and 0.80: speakers with one microphone or without texts, and files that are not recordings."""

from __future__ import annotations

import zipfile
from pathlib import Path

from audio_files import write_audio
from speech import speech

RATE = 48000
UTTERANCES = {  # speaker -> number of the last; some speakers of each list have enough for three sets
    "p225": 10, "p230": 11, "p226": 3, "p231": 2, "p228": 2, "p239": 3, "p280": 2, "p315": 2, "s5": 2,
}  # fmt: skip
ONE_MICROPHONE = {"p280", "p315"}
MISSING = {"p230_004"}
INFO = """\
ID  AGE  GENDER  ACCENTS  REGION COMMENTS
p225  23  F    English    Southern  England
p226  22  M    English    Surrey
p228  22  F    English    Southern  England
p230  22  F    English    Stockton-on-tees
p231  23  F    English    Southern  England
p239  22  F    English    SW  England
p280  25  F    Unknown    France  (mic2 files unavailable)
p315  18  M    American   New  England  (Text and mic2 files unavailable)
s5    22  F    Indian
"""


def make(folder: Path) -> None:
    """Write the archive of sources.yaml."""
    top = make_092(folder / "092")
    with zipfile.ZipFile(folder / "VCTK-Corpus-0.92.zip", "w") as archive:
        for path in sorted(top.rglob("*")):
            archive.write(path, path.relative_to(top))


def make_092(top: Path) -> Path:
    audio = top / "wav48_silence_trimmed"
    for speaker, id in utterances():
        for microphone in ("mic1",) if speaker in ONE_MICROPHONE else ("mic1", "mic2"):
            write_audio(audio / speaker / f"{id}_{microphone}.flac", _speech(speaker, id), RATE)
    (audio / "log.txt").write_text("p225_001_mic1.flac 0.3 2.1\n")
    return _write_texts(top)


def make_080(top: Path) -> Path:
    for speaker, id in utterances():
        if speaker != "s5":
            write_audio(top / "wav48" / speaker / f"{id}.wav", _speech(speaker, id), RATE)
    (top / "wav48" / "p225" / "p225_011.raw").write_bytes(bytes(1000))  # the corpus has p376_295.raw
    return _write_texts(top)


def utterances() -> list[tuple[str, str]]:
    """Speakers and ids."""
    pairs = [(speaker, f"{speaker}_{k:03}") for speaker, last in UTTERANCES.items() for k in range(1, last + 1)]
    return [pair for pair in pairs if pair[1] not in MISSING]


def _speech(speaker: str, id: str):
    return speech(f"a{id[-1]}e", speaker, RATE)


def _write_texts(top: Path) -> Path:
    for speaker, id in utterances():
        if speaker != "p315":
            (top / "txt" / speaker).mkdir(parents=True, exist_ok=True)
            (top / "txt" / speaker / f"{id}.txt").write_text(f"a {id[-1]} e\n")
    (top / "speaker-info.txt").write_text(INFO)
    return top
