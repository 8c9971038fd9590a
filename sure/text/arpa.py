"""Files of n-gram models: ARPA, also gzipped, and the binary formats of KenLM."""

import gzip
import math
import re
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

from sure.errors import SureError
from sure.files import sha256_of_file
from sure.parsing import MARKS
from sure.text.ngram import BEGIN, END, LN10, NEVER, UNKNOWN, Gram, Ngram

GZIP = b"\x1f\x8b"
HEAD = b"\\data\\"
KENLM = b"mmap lm"  # the first bytes of its binary formats
MOST_WORDS = 20  # of an n-gram
MOST_PROBABILITY = 1e-4  # log10: rounding of other toolkits may exceed 0
SPACE = re.compile("[ \\t]+")
UNKNOWN_MISSING = -100.0  # log10 probability of unknown words in a model without <unk>, as in KenLM


class Kenlm:
    """An n-gram model read by the package kenlm, with the interface of Ngram; it cannot list its words.

    Raises SureError if the package is missing or cannot read the file.
    """

    def __init__(self, path: Path):
        try:
            import kenlm
        except ImportError:
            needed = "a binary model of KenLM, which needs the package kenlm: pip install -e '.[kenlm]'"
            raise SureError(f"{path} is {needed}") from None
        self._new_state = kenlm.State
        try:
            self._model = kenlm.Model(str(path))
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise SureError(f"kenlm cannot read the n-gram model {path}: {reason}") from None

    def begin(self) -> object:
        state = self._new_state()
        self._model.BeginSentenceWrite(state)
        return state

    def score(self, state: object, word: str) -> tuple[float, object]:
        after = self._new_state()
        return LN10 * self._model.BaseScore(state, word, after), after

    def __contains__(self, word: str) -> bool:
        return word in self._model

    def words(self) -> None:
        return None


LanguageModel = Ngram | Kenlm


def load_model(path: Path) -> tuple[LanguageModel, str]:
    """The n-gram model in a file, and the SHA-256 of the file.

    Other files than ARPA need the extra kenlm. Raises SureError naming the file.
    """
    try:
        digest = sha256_of_file(path)
        with open(path, "rb") as file:
            first = file.read(1 << 20)
    except OSError as error:
        raise SureError(f"cannot read the n-gram model {path}: {error.strerror}") from None
    if first.startswith((GZIP, *MARKS)) or HEAD in first:
        return read_arpa(path), digest
    if not first.startswith(KENLM):
        raise SureError(
            f"{path} is neither an ARPA file, also in gzip, nor a binary model of KenLM; convert or unpack it"
        )
    return Kenlm(path), digest


def format_arpa(model: Ngram) -> str:
    """Content of an ARPA file; n-grams are sorted, so a model always gives the same bytes."""
    lines = ["\\data\\", *(f"ngram {order}={count}" for order, count in enumerate(model.counts(), 1))]
    for order in range(1, model.order + 1):
        grams = sorted(gram for gram in model.grams if len(gram) == order)
        lines += ["", f"\\{order}-grams:", *(_line(gram, *model.grams[gram]) for gram in grams)]
    return "\n".join([*lines, "", "\\end\\", ""])


def _line(gram: Gram, probability: float, backoff: float) -> str:
    return f"{probability:.7f}\t{' '.join(gram)}" + (f"\t{backoff:.7f}" if backoff else "")


def read_arpa(path: Path) -> Ngram:
    """Read an ARPA file; <UNK> and <Unk> become <unk>, and words are in NFC.

    White space is spaces and tabs: a no-break space is part of a word.
    Raises SureError naming file and line, and for wrong counts or a model without <s> or </s>.
    """
    grams: dict[Gram, tuple[float, float]] = {}
    announced: dict[int, int] = {}
    order = 0
    for number, line in _lines(path):
        if line == "\\end\\":
            break
        try:
            if line.startswith("\\"):
                order = _order(line[1:].removesuffix("-grams:")) if line != "\\data\\" else 0
            elif order == 0 and line.startswith("ngram "):
                length, _, count = line.removeprefix("ngram ").partition("=")
                announced[_order(length)] = int(_plain(count))
            elif order and line:
                gram, values = _entry(line, order)
                _check(gram, grams)
                grams[gram] = values
        except ValueError as error:
            raise SureError(f"{path}:{number}: expected a line of an ARPA file ({error}), found {line!r}") from None
    else:
        raise SureError(f"{path} ends without \\end\\, so it is incomplete; make or copy it again")
    model = Ngram(max({*announced, *map(len, grams)}, default=0), grams)
    if not announced or model.counts() != [announced.get(order, 0) for order in range(1, model.order + 1)]:
        head = list(announced.values())
        raise SureError(f"{path} has {model.counts()} n-grams by order, but its head has the counts {head}")
    for word in (BEGIN, END):
        if word not in model:
            raise SureError(f"{path} lacks {word}; expected a model of whole sentences")
    grams.setdefault((UNKNOWN,), (UNKNOWN_MISSING, 0.0))
    return model


def _order(text: str) -> int:
    if not 1 <= (order := int(_plain(text))) <= MOST_WORDS:
        raise ValueError(f"n-grams have 1 to {MOST_WORDS} words")
    return order


def _entry(line: str, order: int) -> tuple[Gram, tuple[float, float]]:
    """`probability word... [backoff]`. Raises ValueError."""
    number, *rest = SPACE.split(line)
    if len(rest) not in (order, order + 1):
        raise ValueError(f"a probability, {order} words, and perhaps a back-off weight")
    probability = float(_plain(number))
    backoff = float(_plain(rest[order])) if len(rest) > order else 0.0
    if not probability <= MOST_PROBABILITY or not math.isfinite(backoff):
        raise ValueError("logarithms of probabilities are at most 0, and back-off weights are finite")
    words = tuple(UNKNOWN if word[0] == "<" and word.lower() == UNKNOWN else word for word in rest[:order])
    return words, (min(0.0, max(probability, NEVER)), backoff)


def _plain(number: str) -> str:
    """`number`, unless only Python reads such digits: 1_000 and ٣. Raises ValueError."""
    if "_" in number or not number.isascii():
        raise ValueError(f"{number!r} is not a number")
    return number


def _check(gram: Gram, grams: dict[Gram, tuple[float, float]]) -> None:
    """Raise ValueError for an n-gram that is known already, or that has a word without a unigram."""
    if gram in grams:
        raise ValueError("this n-gram is there twice")
    if len(gram) > 1 and (missing := [word for word in gram if (word,) not in grams and word != UNKNOWN]):
        raise ValueError(f"the word {missing[0]!r} is not among the 1-grams")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP
    try:
        with gzip.open(path) if packed else open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                yield number, unicodedata.normalize("NFC", text).strip(" \t\r\n")
    except UnicodeDecodeError as error:
        raise SureError(f"{path}:{number}: not UTF-8 ({error.reason}); convert the file to UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        raise SureError(f"cannot read the n-gram model {path}: {error}") from None
