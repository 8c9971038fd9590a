"""Conversion of transcripts to phones with a lexicon, folding to a smaller phone set, and lexicon files."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from sure.errors import SureError
from sure.parsing import read_json
from sure.text.labels import STAGE
from sure.text.normalize import normalize
from sure.text.phones import FOLDS, fold

FILE = "phones.json"
LEXICON = "lexicon.txt"


class Pronunciation:
    """lexicon: word in lower case -> phones separated by spaces; None if transcripts are phones. fold: see FOLDS.

    In a bundle the lexicon is empty, as only training needs it.
    """

    def __init__(self, lexicon: dict[str, str] | None, fold: str | None):
        self.lexicon = lexicon
        self.fold = fold

    def missing(self, texts: Iterable[str], language: str) -> list[str]:
        """Words that are not in the lexicon, sorted."""
        if self.lexicon is None:
            return []
        return sorted({word for text in texts for word in normalize(text, language).split()} - self.lexicon.keys())

    def phones(self, text: str, language: str) -> str:
        """Phones of a transcript, separated by spaces.

        Raises SureError naming words that are not in the lexicon, and phones that are not in the set.
        """
        if missing := self.missing([text], language):
            raise SureError(
                f"not in the lexicon: {' '.join(missing)}; add these words and run stage 3 (tokenize) again"
            )
        if self.lexicon is not None:
            text = " ".join(self.lexicon[word] for word in normalize(text, language).split())
        return fold(text, self.fold)

    def save(self, folder: Path) -> None:
        """Write phones.json, and lexicon.txt if there is a lexicon."""
        about = {"lexicon": self.lexicon is not None, "fold": self.fold}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(about) + "\n", encoding="utf-8")
        if self.lexicon is not None:
            lines = "".join(f"{word} {phones}\n" for word, phones in sorted(self.lexicon.items()))
            (folder / LEXICON).write_text(lines, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Pronunciation:
        """Load from a folder of `save`; without lexicon.txt, as in a bundle, the lexicon is empty."""
        about = read_json(folder / FILE, STAGE, keys=("lexicon",))
        if about.get("fold") not in (None, *FOLDS):
            known = " ".join(FOLDS)
            raise SureError(f"{folder / FILE}: fold is {about['fold']!r}, expected null or one of {known}; {STAGE}")
        path = folder / LEXICON
        lexicon = read_lexicon([path] if path.exists() else []) if about["lexicon"] else None
        return cls(lexicon, about.get("fold"))


def read_lexicon(files: Sequence[str | Path]) -> dict[str, str]:
    """Read files with lines `word phone phone ...`, as in Kaldi: word in lower case, NFC -> phones with single spaces.

    The first pronunciation of a word counts, so later files only add words. Raises SureError naming file and line.
    """
    lexicon: dict[str, str] = {}
    for file in files:
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SureError(f"cannot read the lexicon {file} (tokenizer.lexicon): {error}") from None
        for number, line in enumerate(lines, 1):
            word, *phones = line.split() or [""]
            if word and not phones:
                raise SureError(f"{file}:{number}: expected `word phone phone ...`, found {line!r}")
            if word:
                lexicon.setdefault(unicodedata.normalize("NFC", word.lower()), " ".join(phones))
    return lexicon
