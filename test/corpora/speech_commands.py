"""Speech Commands, both releases: words of at most 1 s, two lists, long noises, and the separate test set."""

from pathlib import Path

import numpy as np
from miniature import lines, pack, write_files
from speech import speech

SURE = "down four go left no off on right stop up yes".split()
V001 = [*SURE, "bed", "marvin"]
WORDS = {"v0.01": V001, "v0.02": [*V001, "backward", "visual"]}
CLIPS = {  # set -> clips of every word; a speaker can have several
    "train": ["0a7c2a8d_nohash_0", "0a7c2a8d_nohash_1"],
    "validation": ["1b4c9b89_nohash_0"],
    "testing": ["c50f55b8_nohash_0"],
}
NOISES = {"running_tap": 1.7, "white_noise": 2.0, "doing_the_dishes": 2.1}  # seconds


def make(folder: Path) -> None:
    """Write the archives of sources.yaml and sources_v0.01.yaml, and their content as stage 1 leaves it."""
    for release, words in WORDS.items():
        for name, files in ((release, _words(words)), (f"test_set_{release}", _test_set(words))):
            top = folder / f"speech_commands_{name}"
            write_files(top, files | {"README.md": f"# Speech Commands Data Set {release}\n\nFiles of one second.\n"})
            pack(folder / f"speech_commands_{name}.tar.gz", top)  # names begin with ./ as in the published archives


def _words(words: list[str]) -> dict:
    clips = {name: [f"{word}/{clip}.wav" for word in words for clip in found] for name, found in CLIPS.items()}
    noises = {
        f"_background_noise_/{name}.wav": _noise(seed, seconds) for seed, (name, seconds) in enumerate(NOISES.items())
    }
    lists = {f"{name}_list.txt": lines(clips[name]) for name in ("validation", "testing")}
    return noises | lists | {clip: speech(*clip.split("/")) for found in clips.values() for clip in found}


def _test_set(words: list[str]) -> dict:
    (clip,) = CLIPS["testing"]
    known = set(SURE) - {"four"}
    places = {word: f"{word}/{clip}.wav" if word in known else f"_unknown_/{word}_{clip}.wav" for word in words}
    files = {place: speech(word, clip[:8]) for word, place in places.items()}
    return files | {f"_silence_/{number}.wav": _noise(number, 1) for number in range(2)}


def _noise(seed: int, seconds: float) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.05, int(seconds * 16000))
