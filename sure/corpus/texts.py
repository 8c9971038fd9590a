"""Reading the text files of a corpus: UTF-8 or any encoding, transcripts of one utterance each, names as labels."""

import gzip
import re
import zlib
from pathlib import Path

from sure.errors import SureError
from sure.parsing import MARKS, decode_text

CONTROLS = re.compile("[\x80-\x9f]")
PACKED = {  # first bytes -> kind of file, and what to do
    b"PK\3\4": "a spreadsheet (xlsx, ods) or zip archive; save the table as .tsv or .csv, or unpack it",
    b"\xd0\xcf\x11\xe0": "a spreadsheet (xls); save it as .tsv or .csv",
    b"\x1f\x8b": "compressed with gzip; unpack it: gunzip",
    b"BZh": "compressed with bzip2; unpack it: bunzip2",
    b"\xfd7zXZ": "compressed with xz; unpack it: unxz",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it: unzstd",
    b"7z\xbc\xaf": "an archive (7z); unpack it",
    b"Rar!": "an archive (rar); unpack it",
    b"ARROW1": "in the format arrow or feather; save it as .tsv or .csv",
    b"PAR1": "in the format parquet; save it as .tsv or .csv",
}


def read_text(path: Path, newline: str | None = None) -> str:
    r"""The content of a text file (see `decode_text`), compressed if its name ends in .gz.

    newline: by default every line ends in \n; "" changes none. Raises SureError naming the file.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise SureError(f"{path}: cannot be read ({error}); unpack or download it again") from None
    if packed := next((kind for start, kind in PACKED.items() if content.startswith(start)), None):
        raise SureError(f"{path} is not text, but {packed}")
    text = decode_text(path, content)
    if "\0" in text:
        raise SureError(f"{path} is not text, but a file with zero bytes; save it as text in UTF-8")
    return text if newline is not None else text.replace("\r\n", "\n").replace("\r", "\n")


def read_any_text(path: Path, other: str = "latin-1") -> str:
    """The text of a file in the first encoding that fits: byte order mark, UTF-16 (by zeros), UTF-8, `other`, Latin-1.

    U+0080 to U+009F are quotes and dashes of Windows (cp1252) that were decoded as Latin-1 and are restored. Byte order
    marks are dropped; incomplete UTF-16 characters become U+FFFD. Raises SureError if the file cannot be read.
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
    if b"\0" in content:  # in UTF-16 one byte of each ASCII character is zero
        little = content[1::2].count(0) > content[::2].count(0)
        return content.decode("utf-16-le" if little else "utf-16-be", "replace")
    for encoding in ("utf-8", other):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def read_transcript(path: Path) -> str:
    """The words of a file in any encoding, as one line; "" if there is no such file."""
    return " ".join(read_any_text(path).split()) if path.is_file() else ""


def one_word(name: str) -> str:
    """A name with `_` for white space, which ids, labels and speakers cannot have."""
    return "_".join(name.split())
