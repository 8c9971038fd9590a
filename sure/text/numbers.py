"""Numbers and symbols as spoken words, for each language."""

import re
import unicodedata
from typing import NamedTuple

from num2words import num2words

from sure.errors import SureError
from sure.text.english_figures import NUMBER, TIME, TIME_ENDS, verbalize_english

JOINER = "\u2060"  # keeps an apostrophe and a number in one word: l'8
LARGEST = 10**12  # larger numbers are read digit by digit; num2words has errors in them
VULGAR = "¼-¾⅐-⅞"  # fractions in one character
MINUS = rf"""(?<![\w.,%°$€£)\]”»])(?<!\w["'])[-\u2212](?=[$€£]?\.?[0-9]|[{VULGAR}])"""  # not in 5%-10%
HOUR = rf"0?([0-9]|1[0-9]|2[0-4]):00{TIME_ENDS}"


class Language(NamedTuple):
    """Words and rules of a language that num2words lacks. A new language is one entry of LANGUAGES."""

    thousands: str  # separator of thousands, `.` or `,`; the other one is the decimal sign
    point: str  # the decimal sign as a word
    minus: str
    number: str  # n° as a word
    ordinal: str  # endings after the digits of an ordinal (regular expression)
    units: dict[str, tuple[str, ...]]  # sign -> (one, many), in Russian (one, few, many)
    symbols: dict[str, str]
    hours: dict[str, tuple[str, str]] = {}  # time on the hour (regular expression) -> (one, many)
    fractions: dict[str, tuple[str, str]] = {}  # sign -> (alone, after a whole)
    corrections: dict[str, str] = {}  # regular expression -> words, for errors of num2words and before nouns


LANGUAGES = {
    "en": Language(
        ",", "point", "minus", "number", "st|nd|rd|th",
        {"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("pound", "pounds"),
         "%": ("percent", "percent"), "°": ("degree", "degrees")},
        {"@": "at", "&": "and", "+": "plus", "=": "equals", "*": "star", "#": "pound"},
    ),
    "es": Language(
        ".", "punto", "menos", "número", r"\.?(?:[ºª]|er)|[rdtmvn][oa]",
        {"$": ("dólar", "dólares"), "€": ("euro", "euros"), "£": ("libra", "libras"),
         "%": ("por ciento", "por ciento"), "°": ("grado", "grados")},
        {"@": "arroba", "&": "y", "+": "más", "=": "igual", "*": "asterisco", "#": "almohadilla"},
        {rf"0?(0|1[3-9]|2[0-4]):00{TIME_ENDS}(?:\s?h(?:r?s|oras)?\b)?": ("hora", "horas"), HOUR: ("", "")},
        {"½": ("un medio", "y medio"), "¼": ("un cuarto", "y cuarto"), "¾": ("tres cuartos", "y tres cuartos"),
         "⅓": ("un tercio", "y un tercio"), "⅔": ("dos tercios", "y dos tercios")},
        {"veintiuno(?= mil| euro| dólar| grado)": "veintiún", r"\buno(?= mil| euro| dólar| grado)": "un",
         "uno(?= libra| hora)|^uno(?= $)": "una", "ientos(?=.* libra)": "ientas",
         "(millón|millones)(?= euro| dólar| libra| grado)": r"\1 de", "unomil": "unmil",
         "décimoprimer": "undécim", "décimosegund": "duodécim", "quadra": "cuadra",
         "(cuadri|septi|octi)gent": r"\1ngent"},
    ),
    "fr": Language(
        ".", "virgule", "moins", "numéro", "ère|re|er|i?[èe]me|e|nde?",
        {"$": ("dollar", "dollars"), "€": ("euro", "euros"), "£": ("livre", "livres"),
         "%": ("pour cent", "pour cent"), "°": ("degré", "degrés")},
        {"@": "arobase", "&": "et", "+": "plus", "=": "égal", "*": "étoile", "#": "dièse"},
        {rf"{HOUR}(?:\s?h(?:eures)?\b)?": ("heure", "heures"),
         r"0?([0-9]+)\s?h\s?0{0,2}(?![^\W0-9])": ("heure", "heures")},
        {"½": ("un demi", "et demi"), "¼": ("un quart", "et quart"), "¾": ("trois quarts", "et trois quarts"),
         "⅓": ("un tiers", "et un tiers"), "⅔": ("deux tiers", "et deux tiers")},
        {r"\bun(?= livre| heure)": "une", "(vingt|cent)sième": r"\1ième",
         "(illi(?:on|ard)s?)(?= dollar| livre| degré)": r"\1 de", "(illi(?:on|ard)s?) (?=euro)": r"\1 d'"},
    ),
    "it": Language(
        ".", "virgola", "meno", "numero", "[ºª]",
        {"$": ("dollaro", "dollari"), "€": ("euro", "euro"), "£": ("sterlina", "sterline"),
         "%": ("per cento", "per cento"), "°": ("grado", "gradi")},
        {"@": "chiocciola", "&": "e", "+": "più", "=": "uguale", "*": "asterisco", "#": "cancelletto"},
        {HOUR: ("", "")},
        {"½": ("un mezzo", "e mezzo"), "¼": ("un quarto", "e un quarto"), "¾": ("tre quarti", "e tre quarti"),
         "⅓": ("un terzo", "e un terzo"), "⅔": ("due terzi", "e due terzi")},
        {r"\buno(?= euro| dollar| grad)": "un", r"\buno(?= sterlin)|^uno(?= $)": "una",
         "(ilion[ei]|iliard[oi])(?= euro| dollar| sterlin| grad)": r"\1 di"},
    ),
    "ru": Language(
        ".", "запятая", "минус", "номер",
        "[-\u2010\u2011]?(?:[ыоие]?й|а?я|[оы]?е)|[-\u2010\u2011](?:[ео]?го|[ео]?му|[оы]?м|[ыи]?х|у?ю|[тм]и)",
        {"$": ("доллар", "доллара", "долларов"), "€": ("евро", "евро", "евро"), "£": ("фунт", "фунта", "фунтов"),
         "%": ("процент", "процента", "процентов"), "°": ("градус", "градуса", "градусов")},
        {"@": "собака", "&": "и", "+": "плюс", "=": "равно", "*": "звёздочка", "#": "решётка"},
        fractions={"½": ("одна вторая", "с половиной"), "¼": ("одна четвёртая", "с четвертью"),
                   "¾": ("три четверти", "и три четверти"), "⅓": ("одна треть", "с третью"),
                   "⅔": ("две трети", "и две трети")},
    ),
}  # fmt: skip

RUSSIAN_ORDINALS = {  # digits and ending -> options of num2words; the first match counts
    "[2-4]х|.*[тм]и": {"to": "cardinal", "case": "g"},  # двух, пяти
    "(?:[2-9]|..+)0е|.*ые": {"plural": True},  # годы
    ".*[ео]й": {"case": "g", "gender": "f"},  # второй is the same word in other cases
    ".*я": {"gender": "f"}, ".*е": {"gender": "n"}, ".*ю": {"case": "a", "gender": "f"},
    ".*го": {"case": "g"}, ".*му": {"case": "d"}, ".*ым": {"case": "i"}, ".*м": {"case": "p"},
    ".*х": {"case": "g", "plural": True}, ".*": {},
}  # fmt: skip
ORDINAL_FORMS = {  # language and ending -> replacement in the words
    "es.*er": ("o$", ""), "(?:es|it).*[aª]": (r"o\b", "a"),
    "frè?re": ("^premier", "première"), "frnd": ("^deuxième", "second"), "frnde": ("^deuxième", "seconde"),
}  # fmt: skip


def verbalize(text: str, code: str) -> str:
    """Lower-cased `text` with its numbers and symbols as words of the language `code` (`es`).

    Cardinals, decimals (`28.8`, `28,8`), grouped thousands, ordinals (`1st`, `1º`, `2e`, `5-я`), a minus
    sign, amounts (`$5`, `7 %`), fractions (`½`), hours (`20:00`) and single symbols (`@`). Numbers with a leading zero
    (`007`) or more than twelve digits are read digit by digit; `10:30` and `1.2.3` part by part. English also has
    years and money (english_figures.py). No ASCII digit remains.
    Raises SureError for numbers in a language that is not in LANGUAGES; symbols of such a language are unchanged.
    """
    language = LANGUAGES.get(code)
    if language is None:
        if found := re.search(f"{NUMBER}|[{VULGAR}²³]", text):
            raise SureError(
                f"no number words for language {code!r}, needed for {found[0]!r} in the text {text!r}: "
                f"write numbers as words; languages with number words: {' '.join(LANGUAGES)}"
            )
        return text

    text = re.sub(r"(?<=\w)'(?=[0-9])", f"'{JOINER}", text)
    gap = "[\u00a0\u2009\u202f]" if code == "en" else "[ \u00a0\u2009\u202f]"  # inside a number: 17 000
    text = re.sub(rf"(?<!\w)[1-9][0-9]{{0,2}}(?:{gap}[0-9]{{3}})+(?![0-9])", lambda m: re.sub(gap, "", m[0]), text)
    text = re.sub(MINUS, f" {language.minus} ", text)
    text = re.sub(r"(?<!\w)(?:n\.?[°º]|№)", f" {language.number} ", text)
    text = re.sub(rf"(?:(?<=[0-9])(\s?))?([{VULGAR}])", lambda m: _vulgar(m[2], m[1] is not None, code), text)
    text = re.sub(rf"{TIME}([0-9]{{1,2}}:[0-5][0-9]):00{TIME_ENDS}", r"\1", text)  # without zero seconds
    if code == "en":
        text = verbalize_english(text)
    for pattern, forms in language.hours.items():
        text = re.sub(rf"(?<![\w.,:]){pattern}", lambda m, f=forms: f" {_counted(m[1], f, code)} ", text)
    signs = "".join(map(re.escape, language.units))
    amount = rf"({NUMBER})(?:([{signs}])|\s([{signs}])(?![0-9]))|([$€£])\s?({NUMBER})"
    units = language.units
    text = re.sub(amount, lambda m: f" {_counted(m[1] or m[5], units[m[2] or m[3] or m[4]], code)} ", text)
    ordinal = rf"({_grouped(code)}|[0-9]+)({language.ordinal})(?!\w)"
    text = re.sub(ordinal, lambda m: f" {_ordinal(m[1], m[2], code)} ", text)
    text = re.sub(NUMBER, lambda m: f" {_number(m[0], code)} ", text)
    for sign, word in ({sign: forms[0] for sign, forms in language.units.items()} | language.symbols).items():
        text = text.replace(sign, f" {word} ")
    return re.sub(rf"{JOINER}\s*", "", text)


def _grouped(code: str) -> str:
    return rf"[1-9][0-9]{{0,2}}(?:{re.escape(LANGUAGES[code].thousands)}[0-9]{{3}})+"


def _number(written: str, code: str) -> str:
    """Words of a number with separators."""
    whole, fraction = _split(written, code)
    if fraction is None:
        return " ".join(_cardinal(part, code) for part in whole)
    if code == "ru" and len(fraction) <= 3:  # Russian names the fraction: двадцать восемь целых восемь десятых
        return num2words(f"{whole[0]}.{fraction}", lang=code)
    return f"{_cardinal(whole[0], code)} {LANGUAGES[code].point} {_digits(fraction, code)}"


def _split(written: str, code: str) -> tuple[list[str], str | None]:
    """The integers of a written number, and its decimals if it has any (then with one integer)."""
    thousands = LANGUAGES[code].thousands
    decimal = "," if thousands == "." else "."
    whole, sign, fraction = written.partition(decimal)
    if re.fullmatch(_grouped(code), whole) and fraction.isdigit() == bool(sign):
        return [whole.replace(thousands, "")], fraction or None
    parts = re.split("[.,]", written)
    # 28.8 is a decimal everywhere; 1,2 is one only where the comma is the decimal sign
    if len(parts) == 2 and (decimal in written or thousands == "."):
        return parts[:1], parts[1]
    return parts, None


def _cardinal(digits: str, code: str) -> str:
    if (digits[0] == "0" and len(digits) > 1) or int(digits) >= LARGEST:
        return _digits(digits, code)
    return _correct(num2words(int(digits), lang=code), code)


def _correct(words: str, code: str) -> str:
    for pattern, right in LANGUAGES[code].corrections.items():
        words = re.sub(pattern, right, words)
    return words


def _digits(digits: str, code: str) -> str:
    return " ".join(num2words(int(digit), lang=code) for digit in digits)


def _ordinal(written: str, ending: str, code: str) -> str:
    digits = written.replace(LANGUAGES[code].thousands, "")
    number = int(digits)
    if not 0 < number < 10**6:
        return _cardinal(digits, code)
    options = {"to": "ordinal"}
    if code == "ru":
        short = digits + ending.lstrip("-\u2010\u2011")
        options |= next(each for pattern, each in RUSSIAN_ORDINALS.items() if re.fullmatch(pattern, short))
    words = _correct(num2words(number, lang=code, **options), code)
    for pattern, change in ORDINAL_FORMS.items():
        if re.fullmatch(pattern, code + ending):
            words = re.sub(*change, words)
    return words


def _vulgar(sign: str, after_whole: bool, code: str) -> str:
    """½ as words, or as 1/2 in languages without such words."""
    if words := LANGUAGES[code].fractions.get(sign):
        return f" {words[after_whole]} "
    return " " + unicodedata.normalize("NFKC", sign).replace("\u2044", "/") + " "


def _counted(written: str, forms: tuple[str, ...], code: str) -> str:
    """A number and its unit in the right grammatical form."""
    whole, fraction = _split(written, code)
    number = int(whole[-1])
    if len(forms) == 2:
        form = forms[0] if number == 1 and fraction is None else forms[1]
    elif fraction is not None or (number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14)):
        form = forms[1]
    else:
        form = forms[0] if number % 10 == 1 and number % 100 != 11 else forms[2]
    words = f"{_number(written, code)} {form}"
    return words if fraction else _correct(words, code)
