"""FLEURS as Google's archives, one for each language: lists without a header, and recordings with numbers as names."""

import re
from itertools import count
from pathlib import Path

from miniature import encoded, lines, pack, write_files
from speech import speech

TEXTS = {  # set -> sentences as written; files have consecutive numbers
    "en_us": {
        "train": ['He said "no".', 'He said "no".', "It cost $5.", "It (all) ends", "1,000 men", '"Go', '"Go'],
        "dev": ["He is sad.", "No men."],
        "test": ["So it ends.", "It is 5."],
    },
    "de_de": {
        "train": ["Er sagt „nein“.", "Es kostet 5 Euro.", "Größe zählt.", "Wir gehen."],
        "dev": ["Er ist da."],
        "test": ["Es endet."],
    },
}
MISSING = "10007"  # in the list, but not in the archive
GENDERS = ("MALE", "FEMALE", "OTHER")


def make(folder: Path) -> None:
    """Write en_us.tar.gz and de_de.tar.gz, each with a recording that is not in the lists; in 32-bit floats."""
    for first, (lang, lists) in zip((10001, 20001), TEXTS.items(), strict=True):
        numbers = count(first)
        files = {"audio/train/99999.wav": encoded(speech("no row", lang), subtype="FLOAT", format="WAV")}
        for name, texts in lists.items():
            rows = []
            for text in texts:
                number = next(numbers)
                lower = re.sub(r"[^\w\s]", "", text.lower())
                letters, samples = " ".join(lower.replace(" ", "|")) + " |", speech(lower, str(number))
                gender = GENDERS[number % 3]
                rows.append(f"{texts.index(text)}\t{number}.wav\t{text}\t{lower}\t{letters}\t{len(samples)}\t{gender}")
                if str(number) != MISSING:
                    files[f"audio/{name}/{number}.wav"] = encoded(samples, subtype="FLOAT", format="WAV")
            files[f"{name}.tsv"] = lines(rows)
        write_files(folder / lang, files)
        pack(folder / f"{lang}.tar.gz", folder, lang)
