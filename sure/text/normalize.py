"""Text normalisation for training targets and for scoring."""

import re
import unicodedata

from sure.text.numbers import verbalize

APOSTROPHES = re.compile("[\u2018\u2019\u02bc\u2032\u00b4`\uff07]")  # ‘ ’ ʼ ′ ´ ` ＇
STAGE_DIRECTIONS = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|<[^<>\s][^<>]*>")


def normalize(text: str, language: str) -> str:
    """`text` as lower-case spoken words with single spaces: letters, their marks, apostrophes inside words.

    `language` is a code such as `es` or `es-MX`; only numbers, symbols and ё depend on it. Steps: Unicode NFC; lower
    case; text in [square], (round) or <angle> brackets is removed; numbers and symbols become words (see numbers.py;
    in a language without number words, symbols are removed); Russian ё becomes е, because most writers use е for
    both; punctuation and hyphens become spaces.
    Normalised text stays unchanged. Raises SureError for digits in a language without number words.
    """
    code = language_code(language)
    text = "".join(char for char in text if unicodedata.category(char) != "Cf")  # soft hyphens, joiners, BOM
    text = unicodedata.normalize("NFC", text)
    text = unicodedata.normalize("NFC", APOSTROPHES.sub("'", text).lower())
    text = drop_stage_directions(text)
    text = "".join(str(unicodedata.decimal(char, char)) for char in text)  # digits of any script to 0-9
    text = verbalize(text, code)
    if code == "ru":
        while "ё" in text:  # a loop, because е may compose with a further mark
            text = unicodedata.normalize("NFC", text.replace("ё", "е"))
    text = "".join(char if _is_spoken(char) else " " for char in text)
    text = re.sub("'{2,}", " ", text)
    words = (word.strip("'") for word in text.split())
    return unicodedata.normalize("NFC", " ".join(word for word in words if word))


def language_code(language: str) -> str:
    """`es` for `es-MX` or `ES_mx`."""
    return re.split("[-_]", language.lower())[0]


def without_accents(text: str) -> str:
    """`text` in Unicode NFD without its combining marks, such as `n` for `ñ`."""
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def drop_stage_directions(text: str) -> str:
    """`text` without bracketed parts, also nested ones."""
    while (shorter := STAGE_DIRECTIONS.sub(" ", text)) != text:
        text = shorter
    return text


def _is_spoken(char: str) -> bool:
    """True for letters, combining marks and the apostrophe; ª and º are letters only in Unicode."""
    return char == "'" or (unicodedata.category(char)[0] in "LM" and char not in "ªº")
