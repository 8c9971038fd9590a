"""Audio SNIPS as s3prl's archive: lines with BOS, EOS and slots without B- and I-, and wav files in folders by set."""

from pathlib import Path

from miniature import lines, pack, write_files
from speech import speech

ROOT = "SNIPS"
VOICES = ("Amy", "Brian", "Ivy", "Joey")  # one of SUPERB's dev, one of its test, two of its train
SENTENCES = {  # set -> words; slots and intent
    "train": [
        ("PLAY ADELE", "O artist PlayMusic"),
        ("RATE IT 5 STARS", "O object_select rating_value rating_unit RateBook"),
        ("PLAY R & B - POP", "O genre genre genre O genre PlayMusic"),  # one slot: SUPERB leaves the dash out
        ("MÉTÉO IN Ōtone", "O O city GetWeather"),
    ],
    "valid": [("PLAY IT", "O object_select PlayMusic")],
    "test": [("RATE ADELE", "O artist RateBook")],
}


def make(folder: Path) -> None:
    """Write snips.zip, with lines without a recording and a recording without a line."""
    files = {"train/Ivy-snips-train-7.wav": speech("GO", "Ivy")}
    rows, plain = ["Ivy-snips-train-9 BOS PLAY EOS\tO O artist PlayMusic", "Ivy-snips-train-8 BOS GO EOS\tO O X"], []
    for subset, sentences in SENTENCES.items():
        for voice in VOICES:
            for number, (words, slots) in enumerate(sentences):
                id = f"{voice}-snips-{subset}-{number}"
                rows.append(f"{id} BOS {words} EOS\tO {slots}")
                plain.append(f"{id} {words}")
                files[f"{subset}/{id}.wav"] = speech(words, voice)
    files |= {"all.iob.snips.txt": lines(rows), "all-trans.txt": lines(plain)}
    files["slots.txt"] = "O\nartist\ngenre\ncity\nobject_select\nrating_value\nrating_unit"
    write_files(folder / ROOT, files)
    pack(folder / "snips.zip", folder, ROOT)
