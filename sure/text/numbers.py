"""Numbers and symbols as spoken words, per language."""

from __future__ import annotations

import re
from typing import NamedTuple

from num2words import num2words

from sure.errors import SureError
from sure.text.english_figures import NUMBER, say_figures

LARGEST = 10**12  # from here on, numbers are read digit by digit: nobody says them, and num2words errs on some


class Language(NamedTuple):
    """What num2words does not know of a language. A new language is one entry of LANGUAGES."""

    thousands: str  # the separator of groups of three digits; the other one of . and , is the decimal sign
    point: str  # the decimal sign as a word
    minus: str
    ordinal: str  # what follows the digits of an ordinal (regular expression)
    units: dict[str, tuple[str, ...]]  # sign -> (one, many), in Russian (one, few, many)
    symbols: dict[str, str]


LANGUAGES = {
    "en": Language(
        ",", "point", "minus", "st|nd|rd|th",
        {"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("pound", "pounds"),
         "%": ("percent", "percent"), "°": ("degree", "degrees")},
        {"@": "at", "&": "and", "+": "plus", "=": "equals", "*": "star", "#": "pound"},
    ),
    "es": Language(
        ".", "punto", "menos", r"\.?[ºª]|er",
        {"$": ("dólar", "dólares"), "€": ("euro", "euros"), "£": ("libra", "libras"),
         "%": ("por ciento", "por ciento"), "°": ("grado", "grados")},
        {"@": "arroba", "&": "y", "+": "más", "=": "igual", "*": "asterisco", "#": "almohadilla"},
    ),
    "fr": Language(
        ".", "virgule", "moins", "ère|re|er|ème|eme|e",
        {"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("livre", "livres"),
         "%": ("pour cent", "pour cent"), "°": ("degré", "degrés")},
        {"@": "arobase", "&": "et", "+": "plus", "=": "égal", "*": "étoile", "#": "dièse"},
    ),
    "it": Language(
        ".", "virgola", "meno", "[ºª]",
        {"$": ("dollaro", "dollari"), "€": ("euro", "euro"), "£": ("sterlina", "sterline"),
         "%": ("per cento", "per cento"), "°": ("grado", "gradi")},
        {"@": "chiocciola", "&": "e", "+": "più", "=": "uguale", "*": "asterisco", "#": "cancelletto"},
    ),
    "ru": Language(
        ".", "запятая", "минус", "-?(?:[ыои]?й|а?я|о?е)",
        {"$": ("доллар", "доллара", "долларов"), "€": ("евро", "евро", "евро"),
         "£": ("фунт", "фунта", "фунтов"),
         "%": ("процент", "процента", "процентов"), "°": ("градус", "градуса", "градусов")},
        {"@": "собака", "&": "и", "+": "плюс", "=": "равно", "*": "звёздочка", "#": "решётка"},
    ),
}  # fmt: skip


def verbalize(text: str, code: str) -> str:
    """Lower-cased `text` with its numbers and symbols as words of the language `code` (`es`).

    Cardinals, decimals (`28.8`, `28,8`), grouped thousands, ordinals (`1st`, `1º`, `2e`, `5-я`), a minus
    sign, amounts (`$5`, `7 %`) and single symbols (`@`). A leading zero (`007`) or more than twelve
    digits are read digit by digit; `10:30` and `1.2.3` are read part by part. English has years, times and
    fractions besides (english_figures.py). No ASCII digit remains.
    Raises SureError for digits in a language that is not in LANGUAGES; its symbols stay as they are.
    """
    language = LANGUAGES.get(code)
    if language is None:
        if found := re.search(NUMBER, text):
            raise SureError(
                f"no number words for language {code!r}, needed for {found[0]!r} in the text {text!r}: "
                f"write the number as words, or use one of: {' '.join(LANGUAGES)}"
            )
        return text

    text = re.sub(r"(?<=[0-9])[\u00a0\u202f](?=[0-9]{3}(?![0-9]))", "", text)  # 1 234 with a no-break space
    if code == "en":
        text = say_figures(text)
    text = re.sub(r"(?<![\w.,])[-\u2212](?=[$€£]?[0-9])", f" {language.minus} ", text)
    signs = "".join(map(re.escape, language.units))
    text = re.sub(
        rf"([{signs}])\s?({NUMBER})|({NUMBER})\s?([{signs}])",
        lambda m: f" {_amount(m[2] or m[3], m[1] or m[4], code)} ",
        text,
    )
    text = re.sub(rf"([0-9]+)({language.ordinal})(?!\w)", lambda m: f" {_ordinal(m[1], m[2], code)} ", text)
    text = re.sub(NUMBER, lambda m: f" {_number(m[0], code)} ", text)
    for sign, forms in language.units.items():
        text = text.replace(sign, f" {forms[0]} ")
    for symbol, word in language.symbols.items():
        text = text.replace(symbol, f" {word} ")
    return text


def _number(written: str, code: str) -> str:
    """A number with its separators, as words."""
    whole, fraction = _split(written, code)
    if fraction is None:
        return " ".join(_cardinal(part, code) for part in whole)
    if code == "ru" and len(fraction) <= 3:  # Russian names the fraction: двадцать восемь целых восемь десятых
        return num2words(f"{whole[0]}.{fraction}", lang=code)
    return f"{_cardinal(whole[0], code)} {LANGUAGES[code].point} {_digits(fraction, code)}"


def _split(written: str, code: str) -> tuple[list[str], str | None]:
    """The integers of a written number, and its decimals if it has any (then there is one integer)."""
    thousands = LANGUAGES[code].thousands
    grouped = rf"[1-9][0-9]{{0,2}}(?:{re.escape(thousands)}[0-9]{{3}})+"
    decimal = "," if thousands == "." else "."
    whole, sign, fraction = written.partition(decimal)
    if re.fullmatch(grouped, whole) and fraction.isdigit() == bool(sign):
        return [whole.replace(thousands, "")], fraction or None
    parts = re.split("[.,]", written)
    # 28.8 is a decimal everywhere; 1,2 is one only where the comma is the decimal sign
    if len(parts) == 2 and (decimal in written or thousands == "."):
        return parts[:1], parts[1]
    return parts, None


def _cardinal(digits: str, code: str) -> str:
    if (digits[0] == "0" and len(digits) > 1) or int(digits) >= LARGEST:
        return _digits(digits, code)
    return num2words(int(digits), lang=code)


def _digits(digits: str, code: str) -> str:
    return " ".join(num2words(int(digit), lang=code) for digit in digits)


def _ordinal(digits: str, ending: str, code: str) -> str:
    number = int(digits)
    if not 0 < number < 10**6:
        return _cardinal(digits, code)
    if code == "ru":
        gender = "f" if ending.endswith("я") else "n" if ending.endswith("е") else "m"
        return num2words(number, lang=code, to="ordinal", gender=gender)
    words = num2words(number, lang=code, to="ordinal")
    if ending.endswith("ª"):
        return re.sub(r"o\b", "a", words)
    if code == "es" and ending == "er":
        return words.removesuffix("o")
    if code == "fr" and ending in ("re", "ère"):
        return words.replace("premier", "première")
    return words


def _amount(written: str, sign: str, code: str) -> str:
    whole, fraction = _split(written, code)
    forms = LANGUAGES[code].units[sign]
    number = int(whole[-1])
    if len(forms) == 2:
        form = forms[0] if number == 1 and fraction is None else forms[1]
    elif fraction is not None or (number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14)):
        form = forms[1]
    else:
        form = forms[0] if number % 10 == 1 and number % 100 != 11 else forms[2]
    return f"{_number(written, code)} {form}"
