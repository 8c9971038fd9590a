"""Text files of corpora whose encoding nobody wrote down, and that differs from file to file."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from sure.errors import SureError

MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
CONTROLS = re.compile("[\x80-\x9f]")


def read_any_text(path: Path, other: str = "latin-1") -> str:
    """The text of a file: by its byte order mark, else as UTF-16 by its zero bytes, else as UTF-8, else as `other`.

    What is none of these is Latin-1, which is never wrong about a byte. U+0080 to U+009F, control characters that no
    text has, are Windows' quotes and dashes read as Latin-1, now or by whoever wrote the file; they become what they
    were. Byte order marks are dropped, and what a broken UTF-16 file has half of becomes U+FFFD. Raises SureError
    naming the file when it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SureError(f"cannot read {path}: {error.strerror}") from None
    text = _decode(content, other).replace("\ufeff", "")
    return CONTROLS.sub(lambda match: match[0].encode("latin-1").decode("cp1252", "ignore"), text)


def _decode(content: bytes, other: str) -> str:
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    if b"\0" in content:  # every ASCII character of UTF-16 has one: the second byte of the pair, or the first
        little = content[1::2].count(0) > content[::2].count(0)
        return content.decode("utf-16-le" if little else "utf-16-be", "replace")
    for encoding in ("utf-8", other):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")
