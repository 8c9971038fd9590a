"""Speech Commands, both releases: words of at most 1 s, two lists, long noises, and the separate test set."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
from audio_files import write_audio
from speech import speech

RATE = 16000
SURE = "down four go left no off on right stop up yes".split()
V001 = [*SURE, "bed", "marvin"]
V002 = [*V001, "backward", "visual"]
WORDS = {"v0.01": V001, "v0.02": V002}
CLIPS = {  # set -> clips of every word; a speaker can have several
    "train": ["0a7c2a8d_nohash_0", "0a7c2a8d_nohash_1"],
    "dev": ["1b4c9b89_nohash_0"],
    "test": ["c50f55b8_nohash_0"],
}
NOISES = {"running_tap": 1.7, "white_noise": 2.0, "doing_the_dishes": 2.1}  # seconds


def make(folder: Path) -> None:
    """Write the archives of sources.yaml and sources_v0.01.yaml."""
    for release in WORDS:
        for kind, write in (("", make_words), ("test_set_", make_test_set)):
            name = f"speech_commands_{kind}{release}"
            top = write(folder / name, release)
            with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as tar:
                tar.add(top, ".")  # names begin with ./ as in the published archives


def make_words(top: Path, release: str = "v0.02") -> Path:
    lists = {"dev": [], "test": []}
    for word in WORDS[release]:
        for name, clips in CLIPS.items():
            for clip in clips:
                write_audio(top / word / f"{clip}.wav", speech(word, clip[:8], RATE), RATE)
                if name in lists:
                    lists[name].append(f"{word}/{clip}.wav\n")
    (top / "validation_list.txt").write_text("".join(lists["dev"]))
    (top / "testing_list.txt").write_text("".join(lists["test"]))
    for number, (noise, seconds) in enumerate(NOISES.items()):
        samples = np.random.default_rng(number).normal(0, 0.05, int(seconds * RATE))
        write_audio(top / "_background_noise_" / f"{noise}.wav", samples, RATE)
    (top / "_background_noise_" / "README.md").write_text("# Long recordings\n")
    (top / "README.md").write_text(f"# Speech Commands Data Set {release}\n\nA set of one-second .wav audio files.\n")
    (top / "LICENSE").write_text("CC-BY-4.0\n")
    return top


def make_test_set(top: Path, release: str = "v0.02") -> Path:
    (clip,) = CLIPS["test"]
    for word in WORDS[release]:
        unknown = word in ("four", *WORDS[release][len(SURE) :])
        path = top / ("_unknown_" if unknown else word) / (f"{word}_" * unknown + f"{clip}.wav")
        write_audio(path, speech(word, clip[:8], RATE), RATE)
    for number in range(2):
        samples = np.random.default_rng(number).normal(0, 0.05, RATE)
        write_audio(top / "_silence_" / f"{number}.wav", samples, RATE)
    (top / "README.md").write_text(f"# Speech Commands Data Set Test Files {release}\n")
    return top
