"""Text to phones for TTS, in training and in synthesis.

English uses the cleaners and pronunciations of ESPnet (sure.text.english); other languages, and models of several
languages, use IPA phones of espeak-ng (sure.text.espeak). The user's lexicon has priority. Punctuation becomes pause
marks, which are phones.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from sure.errors import SureError
from sure.files import replace_file
from sure.parsing import read_json
from sure.text.english import English
from sure.text.espeak import Espeak
from sure.text.languages import language_code, usual_forms
from sure.text.lexicon_files import read_lexicon

FILE = "phonemizer.json"
KINDS = ("cmudict", "espeak")
PAUSES = {",", ".", "?", "!"}
MARKS = str.maketrans(
    {";": ",", "\u2026": ".", "\u3001": ",", "\uff0c": ",", "\u3002": ".",
     "\u0964": ".", "\u061f": "?", "\u060c": ",", "\uff1f": "?", "\uff01": "!", "\u00a1": None, "\u00bf": None}
)  # fmt: skip
BREAK = re.compile("(?<!\\d)[:\u2013\u2014]|[:\u2013\u2014](?!\\d)")  # a pause, except in 10:30
MARK = re.compile(r"([.,?!])(?![0-9])")  # 3.50 has no pause
SHOWN = 40  # characters of a text in an error


class Phonemizer:
    """Text to phones in one language.

    language: a code such as `en` or `es-MX`. lexicons: files of `word phone phone ...`, or their content by word.
    kind: one of KINDS; default: cmudict for English, otherwise espeak. known: phones of the model; other phones are
    replaced by the nearest of these.
    """

    def __init__(
        self,
        language: str = "en",
        lexicons: Sequence[str | Path] | Mapping[str, str] = (),
        kind: str | None = None,
        known: Collection[str] = (),
    ):
        english = language_code(language) == "en"
        self.language, self.kind, self.known = language, kind or ("cmudict" if english else "espeak"), sorted(known)
        if self.kind not in KINDS or (self.kind == "cmudict" and not english):
            given = f"text.phones={self.kind} with language {language!r}"
            raise SureError(f"{given}: expected espeak, or cmudict for English")
        self.lexicon = dict(lexicons) if isinstance(lexicons, Mapping) else read_lexicon(list(lexicons), language)
        self._pronouncer = English(self.lexicon) if self.kind == "cmudict" else Espeak(language, self.lexicon)

    def phones(self, text: str) -> list[str]:
        """Phones and pause marks, with a mark at the end. Raises SureError for a text without words."""
        self.prepare([text])
        phones: list[str] = []
        for part in self._parts(text):
            if part not in PAUSES:
                phones += self._pronouncer.phones(part)
            elif phones and phones[-1] not in PAUSES:
                phones.append(part)
        if not phones:
            shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
            raise SureError(f"the text {shown!r} has no words or numbers to pronounce")
        if phones[-1] not in PAUSES:
            phones.append(".")
        if self.known:
            phones = [near for phone in phones for near in nearest_known(phone, self.known)]
        return phones

    def prepare(self, texts: Iterable[str]) -> None:
        """Find the phones of the words of many texts. Raises SureError naming the words without phones."""
        parts = {part for text in texts for part in self._parts(text)} - PAUSES
        self._pronouncer.prepare({word for part in parts for word in part.split()})

    def _parts(self, text: str) -> list[str]:
        """Runs of words, and pause marks."""
        text = " ".join(text.split())
        text = "".join(char for char in text if unicodedata.category(char)[0] != "C")  # control characters, joiners
        text = usual_forms(text)
        text = self._pronouncer.clean(BREAK.sub(",", text.translate(MARKS)))
        if self.kind == "cmudict":
            text = re.sub(r"[^a-z'.,?!]", " ", text)
            text = " ".join(word.strip("'") for word in re.sub(r"([.,?!])", r" \1 ", text).split())
        return [part.strip() for part in MARK.split(text) if part.strip()]

    def save(self, path: Path) -> None:
        about = {"language": self.language, "kind": self.kind, "known": self.known, "lexicon": self.lexicon}
        replace_file(path, json.dumps(about, ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path, language: str | None = None) -> Phonemizer:
        """Load a file of `save`, for `language` if it is given. Raises SureError if the file is missing or invalid."""
        about = read_json(path, "run stage 3 (tokenize) again", ("language", "lexicon", "kind", "known"))
        try:
            return cls(language or about["language"], about["lexicon"], about["kind"], about["known"])
        except (ValueError, TypeError) as error:
            raise SureError(f"{path} is damaged ({error}); run stage 3 (tokenize) again") from None


def nearest_known(phone: str, known: Collection[str]) -> list[str]:
    """`phone` if it is known, otherwise the nearest known phones, otherwise `phone`.

    Tried in order: without stress or with another stress, without length, without diacritics, then split into parts,
    such as d z for dz. A pause mark becomes a full stop.
    """
    if phone in known:
        return [phone]
    if phone in PAUSES:
        return ["."]
    bare = phone.removeprefix("ˈ")
    short = bare.replace("ː", "")
    letters = (char for char in unicodedata.normalize("NFD", short) if unicodedata.category(char) in ("Ll", "Lo"))
    spellings = dict.fromkeys((bare, short, "".join(letters)))
    candidates = [f"{stress}{spelling}" for spelling in spellings for stress in ("", "ˈ")]
    candidates += [f"{phone.rstrip('012')}{stress}" for stress in ("", "1", "0", "2")]
    for candidate in candidates:
        if candidate in known:
            return [candidate]
    for place in range(len(bare) - 1, 0, -1):
        stress = phone[: len(phone) - len(bare)]
        parts = nearest_known(stress + bare[:place], known) + nearest_known(bare[place:], known)
        if all(part in known for part in parts):
            return parts
    return [phone]
