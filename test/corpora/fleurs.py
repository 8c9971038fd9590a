"""FLEURS as Google's archives, one for each language: lists without a header, and recordings with numbers as names."""

import io
from pathlib import Path

import soundfile
from miniature import lines, pack, write_files
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


def make(folder: Path) -> None:
    """Write en_us.tar.gz and de_de.tar.gz, each with a recording that is not in the lists."""
    for lang, lists in (("en_us", ENGLISH), ("de_de", GERMAN)):
        files = {"audio/train/99999.wav": _wav("no row", lang)}
        for name, rows in lists.items():
            table = []
            for sentence, file, raw, lower in rows:
                letters = " ".join(lower.replace(" ", "|")) + " |"
                samples = len(speech(lower, file))
                cells = (sentence, f"{file}.wav", raw, lower, letters, samples, GENDERS[int(file) % 3])
                table.append("\t".join(map(str, cells)))
                if file != MISSING:
                    files[f"audio/{name}/{file}.wav"] = _wav(lower, file)
            files[f"{name}.tsv"] = lines(table)
        write_files(folder / lang, files)
        pack(folder / f"{lang}.tar.gz", folder, lang)


def _wav(text: str, speaker: str) -> bytes:
    """A recording in 32-bit floats, as in the corpus."""
    file = io.BytesIO()
    soundfile.write(file, speech(text, speaker), 16000, subtype="FLOAT", format="WAV")
    return file.getvalue()
