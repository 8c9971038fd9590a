"""LibriSpeech as published: an archive for each subset, with folders speaker/chapter, and the lexicon."""

from __future__ import annotations

import tarfile
from pathlib import Path

from audio_files import write_audio
from speech import speech
from spelling import lexicon

SPEAKERS = {  # subset -> (speaker, chapter)
    "train-clean-100": [("103", "1240"), ("103", "1241"), ("19", "198")],
    "dev-clean": [("1272", "128104")],
    "test-clean": [("61", "70968")],
    "test-other": [("1688", "142285")],
}
TEXTS = ["THE CAT DIDN'T SIT", "A BIG DOG", "TIS HE"]  # of every chapter
BOOKS = "\ufeff; pipe-separated: the project's own files beside the recordings\n"


def make(folder: Path) -> None:
    """Write the archives of sources.yaml; a training chapter has a flac without a line and a line without a flac."""
    for subset, chapters in SPEAKERS.items():
        for speaker, chapter in chapters:
            _write_chapter(folder / "LibriSpeech" / subset / speaker / chapter, speaker, chapter)
    bad = folder / "LibriSpeech" / "train-clean-100" / "103" / "1240"
    write_audio(bad / "103-1240-0007.flac", speech("NO LINE"))
    with open(bad / "103-1240.trans.txt", "a", encoding="ascii") as file:
        file.write("103-1240-0008 NO FLAC\n")
    for subset in SPEAKERS:
        with tarfile.open(folder / f"{subset}.tar.gz", "w:gz") as tar:
            for name in ("README.TXT", "SPEAKERS.TXT"):
                (folder / "LibriSpeech" / name).write_text(BOOKS, encoding="utf-8")
                tar.add(folder / "LibriSpeech" / name, f"LibriSpeech/{name}")
            tar.add(folder / "LibriSpeech" / subset, f"LibriSpeech/{subset}")
    (folder / "librispeech-lexicon.txt").write_text(lexicon(" ".join(TEXTS)) + "A EH1\n", encoding="ascii")


def _write_chapter(folder: Path, speaker: str, chapter: str) -> None:
    lines = []
    for number, text in enumerate(TEXTS):
        id = f"{speaker}-{chapter}-{number:04}"
        write_audio(folder / f"{id}.flac", speech(text, speaker))
        lines.append(f"{id} {text}\n")
    (folder / f"{speaker}-{chapter}.trans.txt").write_text("".join(lines), encoding="ascii")
