"""LibriSpeech as published: an archive for each subset, with folders speaker/chapter, and the lexicon."""

from pathlib import Path

from miniature import lines, pack, write_files
from speech import lexicon, speech

ROOT = "LibriSpeech"
CHAPTERS = {
    "train-clean-100": ("103/1240", "103/1241", "19/198"),
    "dev-clean": ("1272/128104",),
    "test-clean": ("61/70968",),
    "test-other": ("1688/142285",),
}
TEXTS = ["THE CAT DIDN'T SIT", "A BIG DOG", "TIS HE"]  # of every chapter
INFO = ("LibriSpeech/README.TXT", "LibriSpeech/SPEAKERS.TXT")


def make(folder: Path) -> None:
    """Write the archives of sources.yaml; a training chapter has a flac without a line and a line without a flac."""
    words = lexicon(" ".join(TEXTS)) + "A EH1\n"
    write_files(folder, dict.fromkeys(INFO, "\ufeff; about the readers\n") | {"librispeech-lexicon.txt": words})
    for subset, chapters in CHAPTERS.items():
        for chapter in chapters:
            name = chapter.replace("/", "-")
            place = f"LibriSpeech/{subset}/{chapter}/{name}"
            rows = [f"{name}-{number:04} {text}" for number, text in enumerate(TEXTS)]
            files = {f"{place}-{n:04}.flac": speech(text, name.partition("-")[0]) for n, text in enumerate(TEXTS)}
            if chapter == "103/1240":
                files[f"{place}-0007.flac"] = speech("NO LINE")
                rows.append(f"{name}-0008 NO FLAC")
            write_files(folder, files | {f"{place}.trans.txt": lines(rows)})
        pack(folder / f"{subset}.tar.gz", folder, *INFO, f"LibriSpeech/{subset}")
