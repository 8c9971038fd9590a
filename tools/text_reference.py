#!/usr/bin/env python3
"""What normalisation does with the text of each language of FLEURS, as Markdown, from the rules and an example.

python tools/text_reference.py --out docs/text.md
"""

from collections.abc import Iterator
from pathlib import Path

from write_page import write_page

from sure.errors import run
from sure.report.markdown import escaped, table
from sure.text.languages import RULES, TURKIC, has_spaces, language_code
from sure.text.normalize import normalize
from sure.text.numbers import LANGUAGES as WITH_NUMBER_WORDS

EXAMPLES = Path(__file__).parents[1] / "test" / "text" / "languages.tsv"  # code, text, normalised text

HEAD = """# Text by language

Made by `python tools/text_reference.py --out docs/text.md` from `sure/text/languages.py` and `test/text/languages.tsv`.

## In every language
In this order:
1. **Unicode forms**: NFKC of letters and marks, full-width characters, radicals, Roman numbers, letters and numbers in
   circles, and units: ﬃ becomes ffi, Ａ A, ĳ ij, half-width ｶﾞ ガ, ﻻ لا, Ⅳ IV, ㎏ kg, ⽇ 日, Ⓐ A, ㈱ 株. Signs that the
   number rules read are left to them: ½, ², ª, º, №. ำ, ຳ and և stay one letter. The result is in NFC. Phones for TTS
   use the same forms.
2. **Lower case**. ẞ becomes ß; Σ at the end of a word ς; İ i (also outside Turkish, without a dot above).
3. **Apostrophes** ’ ‘ ʼ ′ ´ ` become ', which stays inside words.
4. **The rules of the language**, in the table below.
5. **Format characters** are removed: soft hyphens, zero-width joiners and non-joiners (Indic, Sinhala, Persian), byte
   order marks. The parts of the word are joined.
6. **Brackets**: text in (round), [square] and <angle> brackets is removed, because it is not spoken.
7. **Digits** of every script, fractions and symbols become words in the languages with number words. In the other
   languages a number is an error: write numbers as words. FLEURS and VoxPopuli leave such utterances out. Symbols
   are removed there.
8. **Punctuation**, hyphens and symbols become spaces. Letters, vowel signs, tone marks and 〇 (zero) stay.

## Which score to read
In languages with spaces between words, compare the WER. In the languages with CER in the table, the number of words is
arbitrary: the CER is the score of the report (`score_name` in result.json), and chooses the epoch. In every CER, spaces
next to letters of these scripts (Chinese characters, kana, Thai, Lao, Khmer, Myanmar) do not count. Transcripts keep
the spaces that the corpus has.

## Languages of FLEURS
`--lang` of other recipes has the first part of these codes; zh has the rules of cmn, and a three-letter code
those of its two-letter one: `tur` those of `tr`, `ger` and `deu` those of `de`.

"""


def reference() -> str:
    """The whole page as Markdown."""
    return (
        HEAD + table([["code", "rules of the language", "numbers", "score", "text", "normalised"], *_rows()], 6) + "\n"
    )


def _rows() -> Iterator[list[str]]:
    for line in EXAMPLES.read_text(encoding="utf-8").splitlines():
        language, text, _ = line.split("\t")
        code = language_code(language)
        rules = ["I becomes ı, İ becomes i"] * (code in TURKIC) + [rule.meaning for rule in RULES.get(code, ())]
        numbers = "words" if code in WITH_NUMBER_WORDS else "error"
        score = "WER" if has_spaces(code) else "CER"
        yield [language, "; ".join(rules) or "-", numbers, score, escaped(text), normalize(text, language)]


if __name__ == "__main__":
    run(lambda: write_page(__doc__, reference))
