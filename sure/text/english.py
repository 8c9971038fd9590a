"""English text to ARPAbet phones: cleaners of tacotron_cleaner, then lexicon, CMUdict and g2p_en."""

import importlib
import re
from collections.abc import Callable, Iterable, Mapping

from sure.errors import SureError, some_of
from sure.text.lexicon import ARPABET, CMUDICT, G2P, look_up, missing_packages
from sure.text.normalize import APOSTROPHES
from sure.text.numbers import verbalize

CORRECTIONS: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [  # in lower case, before the cleaners
    (r"\[([a-z])\](?=[a-z])", r"\1"),  # "[t]he" is one word
    (r"[<>\[\]{}]", " "),  # the cleaners would join the text on both sides
    (r"(?<=\w)\((?=\w)(?!\w+\)\w|(?:e?[sdrn]|ing|ly|al|ren)\))", " "),  # word(s) and colo(u)r are one word
    (r"\b(mrs|mr|drs?|st|co|jr|maj|gen|rev|lt|hon|sgt|capt|esq|ltd|col|ft)\.(?=[a-z])", r"\1. "),
    (r"(?<![\w'])[a-z](?:\.[a-z])+(?![\w'])", lambda m: m[0].replace("a", "ay").replace(".", " ")),  # u.s.a. is spelled
]  # fmt: skip
VOWELS = re.compile("[aeiouy]")
SHOWN = 10  # words in an error


class English:
    """Pronounces words of cleaned text. lexicon: word -> phones separated by spaces; it has priority over CMUdict.

    Raises SureError for a lexicon with other phones than those of CMUdict.
    """

    def __init__(self, lexicon: Mapping[str, str]):
        self.known = dict(lexicon)
        for word, phones in sorted(self.known.items()):
            if other := [phone for phone in phones.split() if phone not in ARPABET]:
                raise SureError(
                    f"lexicon: {word!r} has the phone {other[0]!r}, which is not a phone of CMUdict; write it with the "
                    "phones of CMUdict, or use espeak-ng for all words: text.phones=espeak"
                )

    def clean(self, text: str) -> str:
        """Text in lower-case ASCII, with numbers, symbols and abbreviations as words."""
        text = APOSTROPHES.sub("'", text).lower()
        for pattern, words in CORRECTIONS:
            text = re.sub(pattern, words, text)
        return _cleaners()(verbalize(text, "en")).lower()

    def prepare(self, words: Iterable[str]) -> None:
        """Find the phones of these words. Raises SureError naming the words without phones."""
        missing = []
        for word in sorted(set(words) - self.known.keys()):
            phones = look_up(CMUDICT, word)
            if phones is None and not VOWELS.search(word):  # spelled, such as dtmf
                phones = " ".join(filter(None, (look_up(CMUDICT, letter) for letter in word)))
            if found := phones or look_up(G2P, word):
                self.known[word] = found
            else:
                missing.append(word)
        if missing:
            packages = missing_packages("en")
            install = f"install {' and '.join(packages)} (tools/install.sh --extras tts), or " * bool(packages)
            raise SureError(f"no phones for {some_of(missing, SHOWN)}; {install}add them to a lexicon")

    def phones(self, words: str) -> list[str]:
        """Phones of words, separated by spaces, that `prepare` has found."""
        if words == "a":
            return ["EY1"]  # a single "a" is the letter, not the article
        return [phone for word in words.split() for phone in self.known[word].split()]


def _cleaners() -> Callable[[str], str]:
    try:
        return importlib.import_module("tacotron_cleaner.cleaners").custom_english_cleaners
    except ImportError:
        raise SureError("English text needs espnet_tts_frontend: tools/install.sh --extras tts") from None
