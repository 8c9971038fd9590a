"""Lexicon files of CMUdict, Kaldi, the Montreal Forced Aligner (MFA) and SURE: a word and its phones on each line."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from sure.errors import SureError
from sure.parsing import decode_text
from sure.text.normalize import spelling

# a comment, a rule or a header; --DASH and ;SEMI-COLON are words of CMUdict
COMMENT = re.compile(
    r";;;|##|#(\s|$)|//|/\*|<!--|[-%;!*=]+(\s|$)|(words?|graphemes?)\s+(phones?|phonemes?|pronunciations?|ipa)$",
    re.IGNORECASE,
)
VARIANT = re.compile(r"(.+)\(\d+\)")  # read(2): a further pronunciation in CMUdict
DECIMAL = re.compile(r"\d*\.\d+(e[-+]?\d+)?|\d+e[-+]?\d+", re.IGNORECASE)
PROBABILITY = re.compile(f"[01]|{DECIMAL.pattern}", re.IGNORECASE)
REMARK = re.compile(r"\s#(?!\d+\s+[^\s#])")  # #1 of Kaldi too, but only at the end
# control characters; hello,HH; hello:; "hello"
NOT_A_WORD = re.compile(r"[\0-\x1f\x7f-\x9f\ufffd]|[^\W\d][,;|=][^\W\d]|\w[,;:|=]$|^[\"“„«].*[\"”“»]$")
# X-SAMPA has phones of one digit and of other marks, such as 2, @ and r\; 55 and 214 are tones
NOT_A_PHONE = re.compile(
    rf"-?({DECIMAL.pattern})%?|\d+%|(?![1-5]{{2,3}}$)\d\d+|[-.|+;:*='\"%]+|[-=]+>|[→⇒]|#\d+|"
    r".*([\0-\x1f\x7f-\x9f\ufffd()\[\],/]|\w\|\w).*|.*[^\W_]\"",
    re.IGNORECASE,
)
EXPECTED = "expected `word phone phone ...`"


def read_lexicon(files: Sequence[str | Path], language: str = "en") -> dict[str, str]:
    """Word, spelled as in normalised text -> phones with single spaces. The first pronunciation in all files counts.

    Lines are `word phone phone ...`, with spaces or tabs. Probabilities after the word (Kaldi's lexiconp.txt, MFA),
    comments after ` #`, lines that begin with `;;;`, and the numbers of variants, `word(2)`, are left out. Phones
    are in NFC, without zero-width characters. Files are UTF-8, UTF-16 with a byte order mark, or Latin-1.
    Raises SureError naming file and line.
    """
    lexicon: dict[str, str] = {}
    for file in files:
        entries = list(_entries(file))
        if not entries:
            raise SureError(f"{file}: no word in it; {EXPECTED} on each line")
        # where every word has a number, 1 is the probability 1.0; elsewhere 1 is a phone of X-SAMPA
        number = PROBABILITY if all(rest[1:] and PROBABILITY.fullmatch(rest[0]) for *_, rest in entries) else DECIMAL
        for line, word, rest in entries:
            while rest and number.fullmatch(rest[0]):
                rest = rest[1:]
            wrong = [phone for phone in rest if NOT_A_PHONE.fullmatch(phone)]
            if wrong or (rest and rest[0].isdigit() and len(rest[0]) > 1):
                raise SureError(
                    f"{file}:{line}: {[*wrong, *rest][0]!r} cannot be a phone; {EXPECTED}, with spaces between"
                )
            if not rest:
                raise SureError(f"{file}:{line}: '{word}' has no phones; {EXPECTED}")
            lexicon.setdefault(spelling(word, language), " ".join(rest))
    return lexicon


def read_words(file: str | Path, key: str) -> frozenset[str]:
    """The words of a lexicon, or of a list with a word at the start of each line. key: the setting, for errors."""
    return frozenset(line.split()[0] for _, line in _lines(file, key))


def _entries(file: str | Path) -> Iterator[tuple[int, str, list[str]]]:
    """Line number, word, and all that follows it."""
    for number, line in _lines(file, "tokenizer.lexicon"):
        head, *columns = filter(None, map(str.strip, line.split("\t")))
        word, *rest = head.split()
        if NOT_A_WORD.search(word):
            raise SureError(f"{file}:{number}: {word!r} cannot be a word; {EXPECTED}, with spaces or tabs")
        if columns and not all(map(PROBABILITY.fullmatch, rest)):
            raise SureError(f"{file}:{number}: {head!r} before the tab is not one word; {EXPECTED}")
        if any(" " in column for column in columns) and not all(map(PROBABILITY.fullmatch, columns[:-1])):
            raise SureError(f"{file}:{number}: columns {columns} after '{word}'; expected one, with all its phones")
        phones = "".join(char for char in " ".join([*rest, *columns]) if unicodedata.category(char) != "Cf")
        yield number, word, phones.split()


def _lines(file: str | Path, key: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line with a word, in NFC, without comments and the number of a variant."""
    try:
        text = decode_text(file, Path(file).read_bytes(), "latin-1")
    except OSError as error:
        raise SureError(f"{key}={file}: cannot be read ({error.strerror})") from None
    for number, written in enumerate(text.splitlines(), 1):
        line = unicodedata.normalize("NFC", REMARK.split(written.strip())[0].rstrip())
        if line and not COMMENT.match(line):
            if written.startswith("\t"):  # an empty cell, or none that can be told from one
                raise SureError(f"{file}:{number}: a tab before the first word; begin the line with the word")
            word = line.split()[0]
            variant = VARIANT.fullmatch(word)
            yield number, (variant[1] if variant else word) + line[len(word) :]
