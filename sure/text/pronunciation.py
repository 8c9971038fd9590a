"""How the texts of data folders become phones: by a lexicon or as they are, and folded to a smaller set."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from sure.errors import SureError
from sure.parsing import read_json
from sure.text.normalize import normalize
from sure.text.phones import FOLDS, fold

FILE = "phones.json"
LEXICON = "lexicon.txt"
STAGE = "run stage 3, tokenize, again, or give the folder that it wrote"


class Pronunciation:
    """`lexicon`: word in lower case -> phones with spaces between; None: texts are phones. `fold`: of FOLDS, or None.

    A lexicon may also be empty: then it has stayed behind where targets are made, and only `phones` needs it.
    """

    def __init__(self, lexicon: dict[str, str] | None, fold: str | None):
        self.lexicon = lexicon
        self.fold = fold

    def missing(self, texts: Iterable[str], language: str) -> list[str]:
        """The words, sorted, that the lexicon does not have."""
        if self.lexicon is None:
            return []
        return sorted({word for text in texts for word in normalize(text, language).split()} - self.lexicon.keys())

    def phones(self, text: str, language: str) -> str:
        """Phones with spaces between; `text` is phones, or words that are normalised and looked up.

        Raises SureError naming words that the lexicon does not have, and phones that are not of the fold's.
        """
        if missing := self.missing([text], language):
            raise SureError(f"not in the lexicon: {' '.join(missing)}; add them and run stage 3, tokenize, again")
        if self.lexicon is not None:
            text = " ".join(self.lexicon[word] for word in normalize(text, language).split())
        return fold(text, self.fold)

    def save(self, folder: Path) -> None:
        """Write `phones.json`, and `lexicon.txt` where there is one."""
        about = {"lexicon": self.lexicon is not None, "fold": self.fold}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(about) + "\n", encoding="utf-8")
        if self.lexicon is not None:
            lines = "".join(f"{word} {phones}\n" for word, phones in sorted(self.lexicon.items()))
            (folder / LEXICON).write_text(lines, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Pronunciation:
        """What `save` wrote; without `lexicon.txt`, as in a bundle, the lexicon is empty."""
        about = read_json(folder / FILE, STAGE, keys=("lexicon",))
        if about.get("fold") not in (None, *FOLDS):
            known = " ".join(FOLDS)
            raise SureError(f"{folder / FILE}: fold is {about['fold']!r}, expected null or one of {known}; {STAGE}")
        path = folder / LEXICON
        lexicon = read_lexicon([path] if path.exists() else []) if about["lexicon"] else None
        return cls(lexicon, about.get("fold"))


def read_lexicon(files: Sequence[str | Path]) -> dict[str, str]:
    """Lines `word phone phone ...`, as in Kaldi: word in lower case, composed (NFC) -> phones with single spaces.

    Of several pronunciations the first counts, so a later file adds words to an earlier one (what a program made
    of words that a dictionary does not have, say). Raises SureError naming file and line.
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
