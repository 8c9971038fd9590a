"""Text of many languages to IPA phones by espeak-ng, through the package phonemizer."""

import importlib
import logging
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sure.errors import SureError
from sure.text.normalize import language_code

VOICES = {"en": "en-us", "fr": "fr-fr", "pt": "pt-br", "zh": "cmn"}  # for language codes that are not voices
LANGUAGE_SWITCH = re.compile(r"\([a-z-]+\)")  # espeak-ng pronounces some foreign words in their own language
SECONDARY = "ˌ"
LONGEST = 500  # characters passed to espeak-ng at once; it truncates longer texts


class Espeak:
    """Pronounces words. lexicon: word -> phones separated by spaces; it has priority over espeak-ng.

    Primary stress is a mark before the vowel and part of its phone; secondary stress is left out.
    Raises SureError for a language that espeak-ng lacks, and if espeak-ng is not installed.
    """

    def __init__(self, language: str, lexicon: Mapping[str, str]):
        self.lexicon = lexicon
        self.backend = _backend(language)

    def clean(self, text: str) -> str:
        return text  # espeak-ng pronounces numbers, symbols and abbreviations itself

    def prepare(self, words: Iterable[str]) -> None:
        pass

    def phones(self, words: str) -> list[str]:
        """Phones of words separated by spaces."""
        phones: list[str] = []
        left: list[str] = []
        for word in words.split():
            known = self.lexicon.get(word.lower())
            if known is not None or sum(map(len, left)) >= LONGEST:
                phones += self._pronounce(left)
                left = []
            if known is None:
                left.append(word)
            else:
                phones += known.split()
        return phones + self._pronounce(left)

    def _pronounce(self, words: list[str]) -> list[str]:
        if not words:
            return []
        separator = importlib.import_module("phonemizer.separator").Separator(phone=" ", word="|", syllable=None)
        found = self.backend.phonemize([" ".join(words)], separator=separator, strip=True)
        text = LANGUAGE_SWITCH.sub(" ", found[0] if found else "").replace("|", " ").replace(SECONDARY, "")
        # without symbols that espeak-ng left unchanged
        return [phone for phone in text.split() if any(character.isalpha() for character in phone)]


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
