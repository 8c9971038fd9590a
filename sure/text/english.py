"""English text to ARPAbet: tacotron_cleaner's cleaners, then lexicon, CMUdict and g2p_en for the words."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping

from sure.errors import SureError
from sure.text.lexicon import ARPABET, CMUDICT, ENGLISH, G2P, Lookup, missing_packages
from sure.text.normalize import APOSTROPHES
from sure.text.numbers import NUMBER, verbalize

# What the cleaners say better than `verbalize`, which says all other numbers: dollars with cents, and years.
DOLLARS = r"\$[0-9]{1,3}(?:,?[0-9]{3}){0,2}(?:\.[0-9]{2})?(?![0-9]|[.,][0-9])"
YEARS = r"(?<![0-9.,$€£-])[12][0-9]{3}(?![0-9%]|[.,][0-9]|st|nd|rd|th)"
FOR_THE_CLEANERS = re.compile(f"({DOLLARS}|{YEARS})")
CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds"}
SIZES = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion"}
FRACTIONS = {"½": ("one half", "a half"), "¼": ("one quarter", "a quarter"), "¾": ("three quarters", "three quarters")}
DECADES = "hundreds tens twenties thirties forties fifties sixties seventies eighties nineties".split()
TIME, TIME_ENDS = r"(?<![0-9.,:$€£])0?", r"(?![0-9:]|[.,][0-9])"
WORDING: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [  # what neither says well; in order, in lower case
    (r"\[([a-z])\](?=[a-z])", r"\1"),  # "[t]he" is one word
    (r"[<>\[\]{}]", " "),  # the cleaners drop them, and join what is around
    (r"(?<=\w)\((?=\w)(?!\w+\)\w|(?:e?[sdrn]|ing|ly|al|ren)\))", " "),  # word(s) and colo(u)r are one word
    (r"\b(mrs|mr|drs?|st|co|jr|maj|gen|rev|lt|hon|sgt|capt|esq|ltd|col|ft)\.(?=[a-z])", r"\1. "),
    (r"(?<=[\w%])[-\u2010-\u2014\u2212](?=[0-9])", " "),  # no minus
    (rf"{TIME}([1-9]|1[0-2]):00(?=\s?(?:[ap]\.?m\b|noon|midnight|o'clock))", r"\1"),
    (rf"{TIME}([1-9]|1[0-2]):00{TIME_ENDS}", r"\1 o'clock"),
    (rf"{TIME}([0-9]|1[0-9]|2[0-3]):0([1-9]){TIME_ENDS}", r"\1 oh \2"),
    (r"(?<=[0-9]):(?=[0-9])", " "),
    (rf"([$€£])\s?({NUMBER})[\s-]?(hundred|thousand|million|billion|trillion)\b",
     lambda m: f"{m[2]} {m[3]} {CURRENCIES[m[1]]}"),
    (rf"([$€£])({NUMBER})(k|m|bn?)\b", lambda m: f"{m[2]} {SIZES[m[3]]} {CURRENCIES[m[1]]}"),
    (r"\b2000'?s\b", "two thousands"),
    (r"\b(1[1-9]|20)([0-9])0'?s\b", lambda m: f"{m[1]} {DECADES[int(m[2])]}"),
    (r"(?<![\w.,/$€£-])'?([2-9])0'?s\b", lambda m: DECADES[int(m[1])]),
    (r"(?<![\w.,/-])1/2(?![\w/]|[.,][0-9])", "½"),
    (r"(?<=[0-9])\s?([½¼¾])", lambda m: f" and {FRACTIONS[m[1]][1]} "),
    (r"[½¼¾]", lambda m: f" {FRACTIONS[m[0]][0]} "),
    (r"(?<=\w)²", " squared "),
    (r"(?<=\w)³", " cubed "),
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
        parts = FOR_THE_CLEANERS.split(text)
        parts[::2] = [verbalize(part, "en") for part in parts[::2]]
        return _cleaners()(" ".join(parts)).lower()

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
            rest = f" and {len(missing) - SHOWN} more" * (len(missing) > SHOWN)
            raise SureError(f"no phones for {' '.join(missing[:SHOWN])}{rest}; {install}write them into a lexicon")

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
