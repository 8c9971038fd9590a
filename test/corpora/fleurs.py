"""FLEURS as Google's archives, one for each language: lists without a header, and recordings with numbers as names."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import soundfile
from speech import speech

# Number of the sentence, file, text as written, text in lower case.
ENGLISH = {
    "train": [
        (1, "10001", 'He said "no".', "he said no"),
        (1, "10002", 'He said "no".', "he said no"),
        (2, "10003", "It cost $5.", "it cost 5"),
        (3, "10004", "It (all) ends", "it all ends"),
        (4, "10005", "1,000 men", "1000 men"),
        (5, "10006", '"Go', "go"),
        (5, "10007", '"Go', "go"),
    ],
    "dev": [(6, "10008", "He is sad.", "he is sad"), (7, "10009", "No men.", "no men")],
    "test": [(8, "10010", "So it ends.", "so it ends"), (9, "10011", "It is 5.", "it is 5")],
}
GERMAN = {
    "train": [
        (1, "20001", "Er sagt „nein“.", "er sagt nein"),
        (2, "20002", "Es kostet 5 Euro.", "es kostet 5 euro"),
        (3, "20003", "Größe zählt.", "größe zählt"),
        (4, "20004", "Wir gehen.", "wir gehen"),
    ],
    "dev": [(6, "20005", "Er ist da.", "er ist da")],
    "test": [(8, "20006", "Es endet.", "es endet")],
}
MISSING = "10007"  # in the list, but not in the archive
GENDERS = ("MALE", "FEMALE", "OTHER")


def write(path: Path, wave: np.ndarray) -> None:
    """Write a recording in 32-bit floats, as in the corpus."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, 16000, subtype="FLOAT")


def make(folder: Path) -> None:
    """Write en_us.tar.gz and de_de.tar.gz, each with a recording that is not in the lists."""
    for lang, lists in (("en_us", ENGLISH), ("de_de", GERMAN)):
        root = folder / lang
        for name, rows in lists.items():
            lines = []
            for sentence, file, raw, lower in rows:
                wave = speech(lower, file)
                letters = " ".join(lower.replace(" ", "|")) + " |"
                cells = (sentence, f"{file}.wav", raw, lower, letters, len(wave), GENDERS[int(file) % 3])
                lines.append("\t".join(map(str, cells)) + "\n")
                if file != MISSING:
                    write(root / "audio" / name / f"{file}.wav", wave)
            (root / f"{name}.tsv").write_text("".join(lines), encoding="utf-8")
        write(root / "audio" / "train" / "99999.wav", speech("no row", lang))
        with tarfile.open(folder / f"{lang}.tar.gz", "w:gz") as tar:
            tar.add(root, lang)
