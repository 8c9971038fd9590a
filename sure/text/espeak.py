"""Text of many languages to IPA phones by espeak-ng, through the package phonemizer."""

import importlib
import logging
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sure.errors import SureError
from sure.text.languages import language_code, lower
from sure.text.normalize import spelling

VOICES = {"en": "en-us", "fr": "fr-fr", "pt": "pt-br", "zh": "cmn"}  # for language codes that are not voices
LANGUAGE_SWITCH = re.compile(r"\([a-z-]+\)")  # espeak-ng pronounces some foreign words in their own language
SECONDARY = "ˌ"
LETTERS = ("Lu", "Ll", "Lt", "Lo")  # without modifiers, such as ー
UNKNOWN = ("ǂ", "ﬁ")  # letters without a name in espeak-ng
LONGEST = 500  # characters passed to espeak-ng at once; it truncates longer texts

log = logging.getLogger(__name__)


class Espeak:
    """Pronounces words. lexicon: word -> phones separated by spaces; it has priority over espeak-ng.

    Primary stress is a mark before the vowel and part of its phone; secondary stress is left out. A word with letters
    that espeak-ng does not know in this language is pronounced apart from its neighbours, which it would change, and a
    warning names these letters.
    Raises SureError for a language that espeak-ng lacks, and if espeak-ng is not installed.
    """

    def __init__(self, language: str, lexicon: Mapping[str, str]):
        self.language, self.lexicon = language, lexicon
        self.backend = _backend(language)
        self._named: dict[str, bool] = {}  # by letter
        self._reported: set[str] = set()
        self._symbol: list[str] | None = None  # phones of the word for unknown letters

    def clean(self, text: str) -> str:
        return text  # espeak-ng pronounces numbers, symbols and abbreviations itself

    def prepare(self, words: Iterable[str]) -> None:
        pass

    def phones(self, words: str) -> list[str]:
        """Phones of words separated by spaces."""
        phones: list[str] = []
        left: list[str] = []
        for word in words.split():
            known = self.lexicon.get(lower(word, self.language), self.lexicon.get(spelling(word, self.language)))
            alone = known is None and self._has_foreign_letters(word)
            if known is not None or alone or sum(map(len, left)) >= LONGEST:
                phones += self._pronounce(left)
                left = []
            if known is not None:
                phones += known.split()
            elif alone:
                phones += self._pronounce([word])
            else:
                left.append(word)
        return phones + self._pronounce(left)

    def _has_foreign_letters(self, word: str) -> bool:
        """True if espeak-ng would read a letter of this word by its name or in another language, or leave it out."""
        letters = {letter for letter in word if not letter.isascii() and unicodedata.category(letter) in LETTERS}
        doubtful = sorted(filter(self._is_named, letters))
        if not doubtful:
            return False
        scripts = {_script(letter) for letter in letters - {*doubtful}} - {"LATIN"}
        named = self._has_names(self._spoken(word))
        # alone, some letters have a name in another language, although words with these letters are right
        foreign = [one for one in doubtful if named or not (_script(one) in scripts or _base(one).isascii())]
        for letter in set(foreign) - self._reported:
            self._reported.add(letter)
            name = f"{letter!r} (U+{ord(letter):04X} {unicodedata.name(letter, 'unnamed')}) in {word!r}"
            log.warning("%s is not a letter of %s for espeak-ng: use other letters, or a lexicon", name, self.language)
        return bool(foreign)

    def _is_named(self, letter: str) -> bool:
        if letter not in self._named:
            spoken = self._spoken(letter)
            self._named[letter] = not spoken or self._has_names(spoken)
        return self._named[letter]

    def _has_names(self, spoken: str) -> bool:
        """True for phones of another language, and for the word of unknown letters, such as `symbol`, before a code."""
        if self._symbol is None:
            self._symbol = os.path.commonprefix([self._spoken(letter).split() for letter in UNKNOWN])
        has_symbol = len(self._symbol) > 2 and " ".join(self._symbol) in " ".join(spoken.split())
        return has_symbol or LANGUAGE_SWITCH.search(spoken) is not None

    def _spoken(self, text: str) -> str:
        separator = importlib.import_module("phonemizer.separator").Separator(phone=" ", word="|", syllable=None)
        found = self.backend.phonemize([text], separator=separator, strip=True)
        return found[0].replace("|", " ") if found else ""

    def _pronounce(self, words: list[str]) -> list[str]:
        text = LANGUAGE_SWITCH.sub(" ", self._spoken(" ".join(words)) if words else "").replace(SECONDARY, "")
        # without symbols that espeak-ng left unchanged
        return [phone for phone in text.split() if any(character.isalpha() for character in phone)]


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ")[0]


def _base(letter: str) -> str:
    return unicodedata.normalize("NFD", letter)[0]


@cache
def _backend(language: str) -> Any:
    try:
        loader = importlib.import_module("espeakng_loader")
        backend = importlib.import_module("phonemizer.backend").EspeakBackend
        wrapper = importlib.import_module("phonemizer.backend.espeak.wrapper").EspeakWrapper
    except ImportError:
        raise SureError("phones of espeak-ng need the extra espeak: tools/install.sh --extras espeak") from None
    wrapper.set_library(loader.get_library_path())
    wrapper.set_data_path(loader.get_data_path())
    known = backend.supported_languages()
    code, base = language.lower().replace("_", "-"), language_code(language)
    voice = next((name for name in (code, VOICES.get(base, base), base) if name in known), None)
    if voice is None:
        raise SureError(f"espeak-ng does not have the language {language!r}; it has: {' '.join(sorted(known))}")
    quiet = logging.getLogger("sure.espeak")
    quiet.setLevel(logging.ERROR)  # it warns for each word in another language
    return backend(voice, with_stress=True, preserve_punctuation=False, logger=quiet)
