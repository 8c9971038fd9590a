"""Text of many languages to the IPA of espeak-ng, through the package phonemizer, in this process."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sure.errors import SureError

VOICES = {"en": "en-us", "fr": "fr-fr", "pt": "pt-br", "zh": "cmn"}  # where the code of a language is no voice
LANGUAGE_SWITCH = re.compile(r"\([a-z-]+\)")  # espeak-ng says some foreign words in their own language
SECONDARY = "ˌ"
LONGEST = 500  # characters that espeak-ng gets at once; it cuts longer texts


class Espeak:
    """`say` the words of a text. lexicon: word -> phones with spaces between, asked first.

    Primary stress is a mark in front of its vowel, part of the phone; secondary stress is left out.
    Raises SureError for a language that espeak-ng does not have, and when it is not installed.
    """

    def __init__(self, language: str, lexicon: Mapping[str, str]):
        self.lexicon = lexicon
        self.backend = _backend(language)

    def clean(self, text: str) -> str:
        return text  # espeak-ng says numbers, symbols and abbreviations itself

    def prepare(self, words: Iterable[str]) -> None:
        pass

    def say(self, words: str) -> list[str]:
        """Phones of words with spaces between."""
        phones: list[str] = []
        left: list[str] = []
        for word in [*words.split(), ""]:
            found = self.lexicon.get(word.lower()) if word else ""
            if found is None and sum(map(len, left)) < LONGEST:
                left.append(word)
                continue
            phones += self._ask(" ".join(left))
            left = [word] if found is None else []
            phones += (found or "").split()
        return phones

    def _ask(self, words: str) -> list[str]:
        if not words.strip():
            return []
        separator = importlib.import_module("phonemizer.separator").Separator(phone=" ", word="|", syllable=None)
        found = self.backend.phonemize([words], separator=separator, strip=True)
        said = LANGUAGE_SWITCH.sub(" ", found[0] if found else "").replace("|", " ").replace(SECONDARY, "")
        # what is no letter is a symbol that espeak-ng has left as it is
        return [phone for phone in said.split() if any(character.isalpha() for character in phone)]


@cache
def _backend(language: str) -> Any:
    try:
        loader = importlib.import_module("espeakng_loader")
        backend = importlib.import_module("phonemizer.backend").EspeakBackend
        wrapper = importlib.import_module("phonemizer.backend.espeak.wrapper").EspeakWrapper
    except ImportError:
        raise SureError("the phones of espeak-ng need its packages: tools/install.sh --extras espeak") from None
    wrapper.set_library(loader.get_library_path())
    wrapper.set_data_path(loader.get_data_path())
    known = backend.supported_languages()
    code = language.lower().replace("_", "-")
    base = code.partition("-")[0]
    voice = next((name for name in (code, VOICES.get(base, base), base) if name in known), None)
    if voice is None:
        raise SureError(f"espeak-ng has no language {language!r}; it has: {' '.join(sorted(known))}")
    quiet = logging.getLogger("sure.espeak")
    quiet.setLevel(logging.ERROR)  # it warns of every word that is said in another language
    return backend(voice, with_stress=True, preserve_punctuation=False, logger=quiet)
