"""Reading the text files of a corpus: UTF-8 tables and lists, transcripts of one utterance each, names as labels."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from sure.errors import SureError
from sure.text.encoding import read_any_text


def read_text(path: Path, newline: str | None = None) -> str:
    r"""The content of a UTF-8 file, compressed if its name ends in .gz, without a byte order mark.

    newline: as for `open`; by default every line ends in \n. Raises SureError naming the file.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline=newline) as file:
            return file.read()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise SureError(f"{path}: cannot be read as UTF-8 text ({error}); unpack or download it again") from None


def read_transcript(path: Path) -> str:
    """The words of a file in any encoding, as one line; "" if there is no such file."""
    return " ".join(read_any_text(path).split()) if path.is_file() else ""


def one_word(name: str) -> str:
    """A name with `_` for white space, which ids, labels and speakers cannot have."""
    return "_".join(name.split())
