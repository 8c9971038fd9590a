"""Data folders from TIMIT; README.md describes the corpus and the decisions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sure.corpus.selection import Selection
from sure.corpus.texts import read_text
from sure.corpus.walk import files_below
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.phones import FOLDS

# The core test set in the corpus's documentation: two men and a woman from each dialect region.
CORE_TEST = (
    "mdab0 mwbt0 felc0 mtas1 mwew0 fpas0 mjmp0 mlnt0 fpkt0 mlll0 mtls0 fjlm0 mbpm0 mklt0 fnlp0 mcmj0 mjdh0 fmgd0 "
    "mgrt0 mnjm0 fdhc0 mjln0 mpam0 fmld0"
).split()
# 50 other speakers of the complete test set: the development set of Kaldi's recipe and of most later work.
DEVELOPMENT = (
    "faks0 fdac1 fjem0 mgwt0 mjar0 mmdb1 mmdm2 mpdf0 fcmh0 fkms0 mbdg0 mbwm0 mcsh0 fadg0 fdms0 fedw0 mgjf0 mglb0 "
    "mrtk0 mtaa0 mtdt0 mthc0 mwjg0 fnmr0 frew0 fsem0 mbns0 mmjr0 mdls0 mdlf0 mdvc0 mers0 fmah0 fdrw0 mrcs0 mrjm4 "
    "fcal1 mmwh0 fjsj0 majc0 mjsw0 mreb0 fgjd0 fjmg0 mroa0 mteb0 mjfc0 mrjr0 fmml0 mrws1"
).split()
PUBLISHED = {"train": 3696, "dev": 400, "test": 192}
PHONES = FOLDS["timit_48"]  # the 61 phones, and those of the sets that they can be folded to
FILE = re.compile(r"(train|test)/dr[1-8]/([fm][a-z]{3}[0-9])/(s[aix][0-9]+)\.(.+)")  # the end of a path in lower case
# In the original .wav files have SPHERE headers; the other endings are those of converted copies.
AUDIO = ("wav", "sph", "flac", "wav.wav", "riff.wav", "wav.riff", "wav.flac")


class Sentence(NamedTuple):
    """One recorded sentence and its files by ending in lower case."""

    part: str  # train or test
    speaker: str
    name: str
    files: dict[str, Path]

    @property
    def id(self) -> str:
        return f"{self.speaker}_{self.name}"

    @property
    def audio(self) -> Path | None:
        return next((self.files[ending] for ending in AUDIO if ending in self.files), None)


def prepare(corpus: str | Path, out: str | Path) -> list[Path]:
    """Write the data folders `out/{train,dev,test}` with `text` in TIMIT's 61 phones, and return them.

    Raises SureError for a missing corpus.
    """
    selection = Selection("timit", published=PUBLISHED)
    for sentence in read_sentences(Path(corpus).absolute(), selection):
        name = _set_of(sentence)
        if reason := _why_not(sentence, name):
            selection.leave_out(sentence.id, reason)
            continue
        try:
            phones = read_phones(sentence.files["phn"])
        except SureError as error:
            selection.leave_out(str(error), "damaged .PHN files")
            continue
        selection.take(name, Utterance(sentence.id, str(sentence.audio), text=phones, speaker=sentence.speaker))
    return selection.write(Path(out))


def read_sentences(corpus: Path, selection: Selection) -> Iterator[Sentence]:
    """The sentences below `corpus`, sorted by id. If a file is there twice, the first path is taken."""
    sentences: dict[str, Sentence] = {}
    for path in files_below(corpus):
        match = FILE.fullmatch("/".join(path.parts[-4:]).lower())
        if not match:
            continue
        part, speaker, name, ending = match.groups()
        sentence = sentences.setdefault(f"{speaker}_{name}", Sentence(part, speaker, name, {}))
        if sentence.files.setdefault(ending, path) != path:
            selection.leave_out(str(path.relative_to(corpus)), "files that are there twice")
    if not sentences:
        raise SureError(
            f"{corpus}: no TIMIT found: looked for TRAIN/DR1/<speaker>/<sentence>.WAV and .PHN there and below, in "
            "upper or lower case; pass --corpus with the folder TIMIT or its parent"
        )
    yield from (sentences[id] for id in sorted(sentences))


def _set_of(sentence: Sentence) -> str | None:
    if sentence.part == "train":
        return "train"
    return "test" if sentence.speaker in CORE_TEST else "dev" if sentence.speaker in DEVELOPMENT else None


def _why_not(sentence: Sentence, name: str | None) -> str | None:
    if sentence.name.startswith("sa"):
        return "SA sentences, which every speaker reads"
    if name is None:
        return "test speakers outside the core test and development lists"
    if sentence.audio is None:
        return "sentences without a recording"
    if "phn" not in sentence.files:
        return "sentences without a .PHN file"
    return None


def read_phones(path: Path) -> str:
    """The phones of lines `start end phone`, in order. Raises SureError naming file and line."""
    phones = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        *times, phone = line.lower().split()
        if len(times) != 2 or not all(map(str.isdigit, times)) or phone not in PHONES:
            raise SureError(f"{path}:{number}: expected `start end phone` with a phone of TIMIT, found {line!r}")
        phones.append(phone)
    if not phones:
        raise SureError(f"{path}: no phones")
    return " ".join(phones)
