"""Text normalisation for training targets and for scoring."""

import re
import unicodedata

from sure.text.languages import language_code, lower, respell, usual_forms
from sure.text.numbers import verbalize

APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u2032\u00b4`\uff07]")  # ‘ ’ ʼ ′ ´ ` ＇
STAGE_DIRECTIONS = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|<[^<>\s][^<>]*>")


def normalize(text: str, language: str) -> str:
    """`text` as lower-case spoken words with single spaces: letters, their marks, apostrophes inside words.

    `language` is a code such as `es` or `es-MX`. Steps: Unicode forms (`usual_forms`); lower case; the language's own
    rules (languages.py); zero-width joiners, soft hyphens and other format characters are removed; text in [square],
    (round) or <angle> brackets is removed; numbers and symbols become words (numbers.py; in a language without number
    words, symbols are removed); punctuation and hyphens become spaces.
    Normalised text stays unchanged. Raises SureError for a number in a language without number words.
    """
    text = drop_stage_directions(spelling(text, language))
    text = "".join(str(unicodedata.decimal(char, char)) for char in text)  # digits of any script to 0-9
    text = respell(verbalize(text, language_code(language)), language)
    text = "".join(char if _is_spoken(char) else " " for char in text)
    text = re.sub("'{2,}", " ", text)
    words = (word.strip("'") for word in text.split())
    return unicodedata.normalize("NFC", " ".join(word for word in words if word))


def spelling(text: str, language: str) -> str:
    """`text` in one spelling, with its punctuation: the steps of `normalize` up to the format characters."""
    text = lower(usual_forms(text), language)
    text = respell(APOSTROPHES.sub("'", text), language)
    text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", text)


def without_accents(text: str) -> str:
    """`text` in Unicode NFD without its combining marks, such as `n` for `ñ`."""
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def drop_stage_directions(text: str) -> str:
    """`text` without bracketed parts, also nested ones."""
    while (shorter := STAGE_DIRECTIONS.sub(" ", text)) != text:
        text = shorter
    return text


def _is_spoken(char: str) -> bool:
    """True for letters, combining marks, the apostrophe and 〇 (zero); ª and º are letters only in Unicode."""
    return char in "'〇" or (unicodedata.category(char)[0] in "LM" and char not in "ªº")
