"""Data folders from Speech Commands; README.md describes the corpus and the decisions."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Literal

import soundfile

from sure.corpus.selection import Selection
from sure.corpus.texts import one_word, read_any_text
from sure.corpus.walk import files_in, folders, the_one
from sure.data.data_dir import Utterance
from sure.errors import SureError

SUPERB = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
WORDS = {"sure": (*SUPERB, "four"), "superb": SUPERB, "all": ()}  # labels -> words that must be there
LISTS = {"dev": "validation_list.txt", "test": "testing_list.txt"}
UNKNOWN, SILENCE, NOISE = "_unknown_", "_silence_", "_background_noise_"
NOISE_OF_DEV = "running_tap.wav"  # as in TensorFlow Datasets; noises are not in the lists
PIECE, HOP = 1.0, 0.5  # seconds
LEVELS = 3
CLIP = re.compile(r"(?:[a-z]+_)?([^_]+)_nohash_(\d+)\.wav", re.IGNORECASE)  # in _unknown_ the word comes first
PUBLISHED = {  # by SURE, TensorFlow Datasets and SUPERB; for all: by TensorFlow Datasets, without noise
    ("sure", "v0.02"): {"train": 33724, "dev": 4076, "test": 4474},
    ("superb", "v0.02"): {"train": 85511, "dev": 10102, "test": 4890},
    ("superb", "v0.01"): {"test": 3081},
    ("all", "v0.02"): {"train": 84843, "dev": 9981, "test": 11005},
    ("all", "v0.01"): {"train": 51088, "dev": 6798, "test": 6835},
}


def prepare(
    corpus: str | Path,
    out: str | Path,
    labels: Literal["sure", "superb", "all"] = "sure",
    release: Literal["v0.01", "v0.02"] = "v0.02",
) -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    labels: sure (11 words), superb (10 words, _unknown_ and _silence_, tested on the separate test set) or all
    (every word). Raises SureError for missing parts of the corpus.
    """
    top = find_top(Path(corpus).absolute(), release)
    words = top / "audio" if (top / "audio").is_dir() else top  # `audio` in Kaggle's copy of v0.01
    if missing := [word for word in WORDS[labels] if not (words / word).is_dir()]:
        raise SureError(f"{words}: no folder for the words {' '.join(missing)}; unpack the archive again")
    selection = Selection(f"speech_commands {release} ({labels})", published=PUBLISHED.get((labels, release)))
    add_words(selection, words, read_lists(top), labels)
    if labels == "superb":
        add_noise(selection, words)
        add_test_set(selection, find_test_set(Path(corpus).absolute(), top, release))
    else:
        for path in find_noises(words):
            selection.leave_out(str(path), "background noises")
    return selection.write(Path(out))


def find_top(corpus: Path, release: str) -> Path:
    """The folder with the lists: `corpus`, or one that is at most LEVELS below it."""
    found = [folder for folder in folders(corpus, LEVELS) if all((folder / name).is_file() for name in LISTS.values())]
    expected = f"speech_commands_{release}/, the folder with {' and '.join(LISTS.values())}"
    return _of_release(corpus, found, release, expected)


def find_test_set(corpus: Path, top: Path, release: str) -> Path:
    """The folder of the test set: below the corpus, or next to the folder of the words."""
    near = sorted({*folders(corpus, LEVELS), top.parent / f"speech_commands_test_set_{release}"})
    found = [folder for folder in near if (folder / SILENCE).is_dir() and (folder / UNKNOWN).is_dir()]
    expected = (
        f"speech_commands_test_set_{release}/, the folder with {SILENCE}/ and {UNKNOWN}/ of the separate test "
        "archive, which labels=superb needs; sources.yaml has its address"
    )
    return _of_release(corpus, found, release, expected)


def _of_release(corpus: Path, found: list[Path], release: str, expected: str) -> Path:
    """The folder of this release, or one whose release is unknown."""
    fitting = [folder for folder in found if release_of(folder) == release]
    fitting = fitting or [folder for folder in found if release_of(folder) is None]
    others = "".join(f"; {folder} is for --release {release_of(folder)}" for folder in found)
    return the_one(corpus, fitting, f"{expected}, at most {LEVELS} folders below{others}")


def release_of(folder: Path) -> str | None:
    """The release in the folder's name, or else in its README.md."""
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    match = re.search(r"v0\.0\d", folder.name) or re.search(r"v0\.0\d", text)
    return match and match[0]


def add_words(selection: Selection, top: Path, set_of: dict[str, str], labels: str) -> None:
    for folder in sorted(path for path in top.iterdir() if path.is_dir() and path.name[0] not in "._"):
        label = folder.name if labels == "all" or folder.name in WORDS[labels] else UNKNOWN
        for path in sorted(folder.iterdir()):
            name = set_of.pop(f"{folder.name}/{path.name}", "train")
            if label == UNKNOWN and labels == "sure":
                selection.leave_out(str(path), "clips of words that are not among the labels")
            elif name == "test" and labels == "superb":
                selection.leave_out(str(path), "clips of testing_list.txt, as SUPERB has another test set")
            else:
                _take(selection, name, path, folder.name, label)
    for listed in set_of:
        selection.leave_out(listed, "clips that a list has and the corpus has not")


def read_lists(top: Path) -> dict[str, str]:
    """`word/file.wav` -> dev or test; all other clips are train. Raises SureError for a clip in both lists."""
    set_of: dict[str, str] = {}
    for name, file in LISTS.items():
        for number, line in enumerate(read_any_text(top / file).splitlines(), 1):
            clip = line.strip().replace("\\", "/").removeprefix("./")
            if clip and set_of.setdefault(clip, name) != name:
                raise SureError(f"{top / file}, line {number}: {clip} is also in {LISTS[set_of[clip]]}")
    return set_of


def add_noise(selection: Selection, top: Path) -> None:
    """Add the noises in pieces of a second, each starting in the middle of the previous one."""
    paths = find_noises(top)
    if not paths:
        raise SureError(f"{top / NOISE}: no noises, which labels=superb needs for {SILENCE}; unpack the archive again")
    for path in paths:
        starts = pieces(path)
        if not starts:
            selection.leave_out(str(path), "noises shorter than a second")
        for number, start in enumerate(starts):
            id, span = f"noise-{path.stem}-{number:04}", {"start": start, "end": start + PIECE}
            name = "dev" if path.name == NOISE_OF_DEV else "train"
            selection.take(name, Utterance(id, str(path), **span, labels={"label": SILENCE}, speaker="noise"))


def find_noises(top: Path) -> list[Path]:
    return files_in(top / NOISE, ".wav") if (top / NOISE).is_dir() else []


def pieces(path: Path) -> list[float]:
    """Starts of the pieces of a recording in seconds, computed from the length in its header."""
    try:
        header = soundfile.info(path)
    except (OSError, RuntimeError) as error:
        raise SureError(f"{path}: not an audio file ({error}); unpack the archive again") from None
    rate = header.samplerate
    # without a piece that ends with the last sample
    count = math.ceil((header.frames - PIECE * rate) / (HOP * rate))
    return [number * HOP for number in range(count)]


def add_test_set(selection: Selection, top: Path) -> None:
    for folder in sorted(path for path in top.iterdir() if path.is_dir() and path.name[0] != "."):
        for path in sorted(folder.iterdir()):
            if folder.name == SILENCE and path.match("[!.]*.wav"):
                id = f"noise-{one_word(path.stem)}"
                selection.take("test", Utterance(id, str(path), labels={"label": SILENCE}, speaker="noise"))
            elif folder.name in (*SUPERB, UNKNOWN):
                word = path.name.partition("_")[0] if folder.name == UNKNOWN else folder.name
                _take(selection, "test", path, word, folder.name)
            else:
                selection.leave_out(str(path), "files of the test set without a label")


def _take(selection: Selection, name: str, path: Path, word: str, label: str) -> None:
    match = CLIP.fullmatch(path.name)
    if match is None:
        selection.leave_out(str(path), "files that are not named as clips, SPEAKER_nohash_NUMBER.wav")
        return
    id = f"{match[1]}-{word}-{match[2]}"
    selection.take(name, Utterance(id, str(path), labels={"label": label}, speaker=match[1]))
