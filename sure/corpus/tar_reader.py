"""Reading of untrusted tar archives, compressed or not, with a limit on the size of headers."""

import bz2
import gzip
import lzma
import tarfile
from pathlib import Path
from typing import IO

from sure.errors import SureError

BLOCK = 1 << 20
MOST_HEADERS = 1 << 20  # bytes of headers of one member, including long names and extended attributes
# First bytes of compressed files; any other file is read as an uncompressed tar.
COMPRESSIONS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open), (b"\x5d\0\0", lzma.open))


class TarReader:
    """A forward-only stream for tarfile with a limit: tarfile reads headers into memory, whatever their size.

    left: bytes that may still be read. The caller sets it to the size of a member before the content is read, and to
    MOST_HEADERS after it. `read` raises SureError above the limit.
    """

    def __init__(self, archive: Path, stream: IO[bytes]):
        self.archive = archive
        self.stream = stream
        self.position = 0
        self.left = MOST_HEADERS

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0:
            raise SureError(f"{self.archive}: refused: a header has more than {MOST_HEADERS:,} bytes")
        return self._read(size)

    def _read(self, size: int) -> bytes:
        content = self.stream.read(size)
        self.position += len(content)
        return content

    def tell(self) -> int:
        return self.position

    def seek(self, position: int) -> int:
        if position < self.position:
            raise tarfile.ReadError("its members overlap")
        while self.position < position and self._read(min(BLOCK, position - self.position)):
            pass
        return self.position


def decompressed(archive: Path) -> IO[bytes]:
    """Open the decompressed content of `archive`, or the file itself if it is not compressed."""
    with archive.open("rb") as file:
        begin = file.read(6)
    opener = next((opener for magic, opener in COMPRESSIONS if begin.startswith(magic)), open)
    return opener(archive, "rb")
