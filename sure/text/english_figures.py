"""English numbers with a spoken form of their own: years, decades, times, fractions and money."""

import re
from collections.abc import Callable

from num2words import num2words

NUMBER = r"[0-9]+(?:[.,][0-9]+)*"
CURRENCIES = {"$": ("dollars", "cent"), "€": ("euros", "cent"), "£": ("pounds", "penny")}
SIZES = {"k": "thousand", "m": "million", "b": "billion", "bn": "billion"}
DECADES = "hundreds tens twenties thirties forties fifties sixties seventies eighties nineties".split()
ALONE, ENDS = r"(?<![\w.,/-])", r"(?![\w/]|[.,][0-9])"  # around a fraction, to exclude dates
TIME, TIME_ENDS = r"(?<![0-9.,:$€£])0?", r"(?![0-9:]|[.,][0-9])"
YEAR = r"(?<![0-9.,:$€£])(?<!minus )[12][0-9]{3}(?![0-9%°:$€£]|[.,][0-9]|\s[%°]|\s[$€£](?!\.?[0-9])|st|nd|rd|th)"


def verbalize_english(text: str) -> str:
    """Lower-cased English text with these numbers as words; other numbers stay, for `verbalize`.

    A number of four digits that begins with 1 or 2 and has no thousands separator is a year: nineteen sixty three.
    """
    for pattern, words in PATTERNS:
        text = re.sub(pattern, words, text)
    return text


def _year(match: re.Match[str]) -> str:
    year = int(match[0])
    if 2000 <= year < 2010:
        return f" two thousand {num2words(year % 100) if year % 100 else ''} "
    return f" {num2words(year, to='year')} "  # separated from letters, as in 1080p


def _fraction(match: re.Match[str]) -> str:
    above, below = int(match["above"]), int(match["below"])
    if not 0 < above < below:
        return match[0]
    part = {2: "half", 4: "quarter"}.get(below) or num2words(below, to="ordinal")
    if not match["whole"]:
        return f" {num2words(above)} {_many(part, above)} "
    article = "an" if below == 8 else "a"
    return f"{match['whole']} and {article if above == 1 else num2words(above)} {_many(part, above)} "


def _cents(match: re.Match[str]) -> str:
    whole, part = match["whole"], int(match["cents"])
    word = CURRENCIES[match["sign"]][1]
    cents = f"{num2words(part)} {_many(word, part)}" if part else ""
    if not int(whole.replace(",", "")):
        return f" {cents} " if part else match[0]
    return f" {match['sign']}{whole} {cents} "  # `verbalize` reads the whole amount


def _many(word: str, count: int) -> str:
    irregular = {"half": "halves", "penny": "pence"}
    return word if count == 1 else irregular.get(word, f"{word}s")


PATTERNS: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [  # applied in this order
    (r"(?<=[\w%°$€£])[-\u2010-\u2014\u2212](?=[$€£]?[0-9])", " "),  # a range or hyphen, not a minus sign
    (rf"{TIME}([1-9]|1[0-2]):00(?=\s?(?:[ap]\.?m\b|noon|midnight|o'clock))", r"\1"),
    (rf"{TIME}([1-9]|1[0-2]):00{TIME_ENDS}", r"\1 o'clock "),
    (rf"{TIME}(0|1[3-9]|2[0-4]):00{TIME_ENDS}", r"\1 hundred "),
    (rf"{TIME}([0-9]|1[0-9]|2[0-3]):0([1-9]){TIME_ENDS}", r"\1 oh \2"),
    (r"(?<=[0-9]):(?=[0-9])", " "),
    (r"(?<![0-9])(?<![0-9]\s)([$€£])\s(?=\.?[0-9])", r"\1"),
    (r"([$€£])(?=\.[0-9])", r"\g<1>0"),
    (rf"([$€£])((?:{NUMBER}\s)?[0-9]/[0-9]+|{NUMBER})[\s-]{{0,2}}(hundred|thousand|million|billion|trillion)\b",
     lambda m: f"{m[2]} {m[3]} {CURRENCIES[m[1]][0]}"),
    (rf"([$€£])({NUMBER})(k|m|bn?)\b", lambda m: f"{m[2]} {SIZES[m[3]]} {CURRENCIES[m[1]][0]}"),
    (r"(?P<sign>[$€£])(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)\.(?P<cents>[0-9]{2})(?![0-9]|[.,][0-9])", _cents),
    (r"(?<![^\s(\"'])\.([0-9]+)(?![0-9]|[.,:][0-9])", lambda m: f"point {' '.join(m[1])}"),
    (r"\b2000'?s\b", "two thousands"),
    (r"\b(1[1-9]|20)([0-9])0'?s\b", lambda m: f"{m[1]} {DECADES[int(m[2])]}"),
    (r"(?<![\w.,/$€£-])'?([2-9])0'?s\b", lambda m: DECADES[int(m[1])]),
    (rf"{ALONE}(?:(?P<whole>[0-9]{{1,3}}) +)?(?P<above>[0-9])/(?P<below>[2-9]|10)(?:(?:rd|th)s?)?{ENDS}", _fraction),
    (YEAR, _year),
    (r"(?<=\w)²", " squared "),
    (r"(?<=\w)³", " cubed "),
]  # fmt: skip
