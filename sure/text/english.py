"""English text to ARPAbet: tacotron_cleaner's cleaners, then lexicon, CMUdict and g2p_en for the words."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping

from sure.errors import SureError, some_of
from sure.text.lexicon import ARPABET, CMUDICT, ENGLISH, G2P, Lookup, missing_packages
from sure.text.normalize import APOSTROPHES
from sure.text.numbers import verbalize

WORDING: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [  # what the cleaners do not say well, in lower case
    (r"\[([a-z])\](?=[a-z])", r"\1"),  # "[t]he" is one word
    (r"[<>\[\]{}]", " "),  # the cleaners drop them, and join what is around
    (r"(?<=\w)\((?=\w)(?!\w+\)\w|(?:e?[sdrn]|ing|ly|al|ren)\))", " "),  # word(s) and colo(u)r are one word
    (r"\b(mrs|mr|drs?|st|co|jr|maj|gen|rev|lt|hon|sgt|capt|esq|ltd|col|ft)\.(?=[a-z])", r"\1. "),
    (r"(?<![\w'])[a-z](?:\.[a-z])+(?![\w'])", lambda m: m[0].replace("a", "ay").replace(".", " ")),  # u.s.a. is spelled
]  # fmt: skip
VOWELS = re.compile("[aeiouy]")
SHOWN = 10  # words in an error


class English:
    """`say` the words of cleaned text. lexicon: word -> phones with spaces between, asked first.

    Raises SureError for a lexicon with phones that are not CMUdict's.
    """

    def __init__(self, lexicon: Mapping[str, str]):
        self.known = dict(lexicon)
        self._sources: dict[str, Lookup | None] = {}  # loaded when a word needs them
        for word, phones in sorted(self.known.items()):
            if other := [phone for phone in phones.split() if phone not in ARPABET]:
                raise SureError(
                    f"the lexicon has {word!r} with {other[0]!r}, which is no phone of CMUdict; write it in those, or "
                    "take the phones of espeak-ng for all words: text.phones=espeak"
                )

    def clean(self, text: str) -> str:
        """ASCII in lower case, numbers, symbols and abbreviations as words."""
        text = APOSTROPHES.sub("'", text).lower()
        for pattern, said in WORDING:
            text = re.sub(pattern, said, text)
        return _cleaners()(verbalize(text, "en")).lower()

    def prepare(self, words: Iterable[str]) -> None:
        """Find the phones of these words. Raises SureError naming those that nothing pronounces."""
        missing = []
        for word in sorted(set(words) - self.known.keys()):
            phones = self._ask(CMUDICT, word)
            if phones is None and not VOWELS.search(word):  # dtmf is spelled
                phones = " ".join(filter(None, (self._ask(CMUDICT, letter) for letter in word)))
            if found := phones or self._ask(G2P, word):
                self.known[word] = found
            else:
                missing.append(word)
        if missing:
            packages = missing_packages("en")
            install = f"install {' and '.join(packages)} (tools/install.sh --extras tts), or " * bool(packages)
            raise SureError(f"no phones for {some_of(missing, SHOWN)}; {install}write them into a lexicon")

    def say(self, words: str) -> list[str]:
        """Phones of words with spaces between, which `prepare` knows."""
        if words == "a":
            return ["EY1"]  # alone it is the letter, not the article
        return [phone for word in words.split() for phone in self.known[word].split()]

    def _ask(self, source: str, word: str) -> str | None:
        if source not in self._sources:
            self._sources[source] = ENGLISH[source]()
        look_up = self._sources[source]
        return look_up(word) if look_up else None


def _cleaners() -> Callable[[str], str]:
    try:
        return importlib.import_module("tacotron_cleaner.cleaners").custom_english_cleaners
    except ImportError:
        raise SureError("English text needs espnet_tts_frontend: tools/install.sh --extras tts") from None
