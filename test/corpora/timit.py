"""TIMIT as on the LDC's disc: upper-case names, .WAV files with SPHERE headers, phones with times in samples."""

from pathlib import Path
from string import ascii_lowercase

import numpy as np
from miniature import encoded, lines, write_files
from speech import speech

ROOT = "TIMIT"
SPEAKERS = {  # folder -> sentences besides SA1 and SA2; MSTK0 is not in the lists of the recipe
    "TRAIN/DR1/FCJF0": {"SI648": "say it", "SX37": "she had", "SI1027": "big dog"},
    "TRAIN/DR4/MMDM0": {"SI681": "such legs", "SX51": "no oil"},
    "TRAIN/DR8/FCLT0": {"SI808": "yes you", "SX88": "a quick jaw"},
    "TEST/DR1/FAKS0": {"SI943": "she kept", "SX43": "do it"},
    "TEST/DR1/FDAC1": {"SI844": "big oil"},
    "TEST/DR1/MDAB0": {"SI1039": "say you", "SX49": "a dog"},
    "TEST/DR1/MWBT0": {"SI923": "quick legs"},
    "TEST/DR1/MSTK0": {"SI1024": "yes"},
}
LETTERS = "ae|bcl b|kcl k|dcl d|eh|f|gcl g|hv|ix|jh|kcl k|el|m|nx|ow|pcl p|q|axr|s|tcl t|ux|v|w|k s|y|z".split("|")
PHONES = dict(zip(ascii_lowercase, LETTERS, strict=True))  # with closures and the glottal stop as in TIMIT


def make(folder: Path) -> None:
    """Write TIMIT/{TRAIN,TEST}/DR?/SPEAKER without .WRD files, and the documentation."""
    write_files(folder / ROOT, {"DOC/PHONCODE.DOC": "Symbols\n"})
    for place, sentences in SPEAKERS.items():
        speaker = place.rpartition("/")[2]
        for name, text in {"SA1": "she had", "SA2": "do not", **sentences}.items():
            samples = speech(text, speaker)
            files = {
                "WAV": encoded(samples, format="NIST", subtype="PCM_16"),
                "PHN": phones(text, len(samples)),
                "TXT": f"0 {len(samples)} {text.capitalize()}.\n",
            }
            write_files(folder / ROOT, {f"{place}/{name}.{ending}": content for ending, content in files.items()})


def phones(text: str, samples: int) -> str:
    """Lines `start end phone` that fill the recording, with silence at both ends and pauses between words."""
    words = [[phone for letter in word for phone in PHONES[letter].split()] for word in text.split()]
    marks = ["h#", *[phone for word in words for phone in [*word, "pau"]][:-1], "h#"]
    borders = np.linspace(0, samples, len(marks) + 1).astype(int)
    return lines(f"{start} {end} {mark}" for start, end, mark in zip(borders, borders[1:], marks, strict=False))
