"""Safe unpacking of untrusted archives: no file or link outside the folder, no devices, limited size and count.

tarfile's data filter checks paths and links, but not the size of headers and contents or the number of members.
"""

import errno
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from sure.corpus.tar_reader import BLOCK, MOST_HEADERS, TarReader, decompressed
from sure.errors import SureError

MEMBER = 512  # bytes that a member counts for in addition to its content: the size of a tar header
FREE_MEMBERS = 10_000  # members that are always allowed
MEMBER_TIMES = 16  # a member of a corpus takes more than MEMBER / MEMBER_TIMES bytes of its archive
MOST_TIMES = 100  # largest unpacked size / archive size; speech hardly compresses, text about ten times
DAMAGE = (
    OSError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
    IndexError,
    MemoryError,
)


def unpack(archive: Path, folder: Path, limit: int | None = None) -> None:
    """Unpack a tar (any compression), zip or Debian package into `folder`; other files there stay.

    The content is unpacked next to `folder` first and then moved file by file, so a refused or damaged archive changes
    nothing. limit: largest unpacked size in bytes, by default `most_bytes`. Raises SureError naming the archive and the
    member for any path or link to the outside, and for content above the limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    temporary = _temporary_place(folder)
    temporary.mkdir()
    try:
        files = _Files(archive, temporary, most_bytes(archive) if limit is None else limit)
        if archive.suffix == ".deb":
            _unpack_debian(archive, files)
        elif _is_zip(archive):
            _unpack_zip(archive, files)
        else:
            with decompressed(archive) as stream:
                _unpack_tar(stream, files)
                _read_to_end(stream, files)
        files.make_links()
    except DAMAGE as error:
        if getattr(error, "errno", None) not in (None, errno.EINVAL):  # an error of the disk, not of the archive
            raise
        raise SureError(f"{archive} is not a readable archive: {str(error) or type(error).__name__}") from None
    else:
        _move(temporary, folder)
    finally:
        remove_leftovers(folder)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of an interrupted `unpack` into `folder`."""
    shutil.rmtree(_temporary_place(folder), ignore_errors=True)


def most_bytes(archive: Path) -> int:
    """Default limit of the unpacked size in bytes, far above the size of any corpus."""
    return MOST_TIMES * archive.stat().st_size + (1 << 30)


def unpack_nested(archive: Path, folder: Path, name: str, limit: int | None = None) -> None:
    """Unpack `folder/name`, a member of `archive` and an archive itself, into its own folder, and delete it.

    Safe as `unpack`, with the same errors. Raises SureError also if `archive` has no such member.
    """
    inner = folder / name
    if inner.is_symlink() or not inner.is_file():
        raise SureError(f"{archive} has no file '{name}'; is it another release of the corpus?")
    if inner.resolve().parent != (folder.resolve() / name).parent:
        raise SureError(f"{archive}: refused: the path '{name}' contains a link")
    unpack(inner, inner.parent, limit)
    inner.unlink()


def _temporary_place(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.unpacking"


def _is_zip(archive: Path) -> bool:
    """Decide by the first bytes: the end of a tar whose last member is a zip looks like a zip."""
    with archive.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


class _Files:
    """The members of an archive, written below `folder`.

    Links are created at the end, so that no member can be written through a link. A link to a missing file is left out.
    """

    def __init__(self, archive: Path, folder: Path, limit: int):
        self.archive = archive
        self.folder = folder.resolve()
        self.limit = limit
        self.left = limit
        self.most_members = FREE_MEMBERS + (limit + MEMBER_TIMES * archive.stat().st_size) // MEMBER
        self.members = 0
        self.links: list[tuple[Path, str, bool]] = []  # place, target, whether it is a hard link

    def refuse(self, name: str, why: str) -> SureError:
        return SureError(f"{self.archive}: refused: '{name}' {why}")

    def place(self, name: str) -> Path:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise self.refuse(name, "is outside the archive's folder")
        return self.folder / path

    def add_folder(self, name: str) -> None:
        place = self._new_place(name)
        with self._without_conflict(name):
            place.mkdir(parents=True, exist_ok=True)

    def add_file(self, name: str, content: IO[bytes], executable: bool = False) -> None:
        place = self._new_place(name)
        with self._without_conflict(name):
            place.parent.mkdir(parents=True, exist_ok=True)
            file = place.open("wb")
        with file:
            while block := content.read(BLOCK):  # real size: the size in the header may be wrong
                self.left -= len(block)
                if self.left < 0:
                    raise self.refuse(name, f"exceeds the limit of {self.limit:,} unpacked bytes for this archive")
                file.write(block)
        place.chmod(0o755 if executable else 0o644)

    def add_link(self, name: str, target: str, hard: bool) -> None:
        self.links.append((self._new_place(name), target, hard))

    def make_links(self) -> None:
        for place, target, hard in self.links:
            name = str(place.relative_to(self.folder))
            with self._without_conflict(name):
                place.parent.mkdir(parents=True, exist_ok=True)
                if hard:
                    source = self.place(target)
                    if source.is_symlink() or not source.is_file() or source.resolve() != source:
                        raise self.refuse(name, f"links to '{target}', which is not a file of this archive")
                    os.link(source, place)
                elif not target:
                    raise self.refuse(name, "is a link with an empty target")
                elif os.path.isabs(target) or os.path.normpath(os.path.join(place.parent, target)) not in self:
                    raise self.refuse(name, "links to a place outside")
                else:
                    os.symlink(target, place)
        for place, _, _ in self.links:
            try:  # strict: a chain of links without a known end could lead anywhere
                found = place.resolve(strict=True)
            except (OSError, RuntimeError):
                place.unlink()
                continue
            if found not in self:
                raise self.refuse(str(place.relative_to(self.folder)), "links to a place outside")

    def _new_place(self, name: str) -> Path:
        self.members += 1
        if self.members > self.most_members:
            raise self.refuse(name, f"exceeds the limit of {self.most_members:,} members for this archive")
        return self.place(name)

    def __contains__(self, path: str | Path) -> bool:
        return Path(path).is_relative_to(self.folder)

    @contextmanager
    def _without_conflict(self, name: str) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise self.refuse(name, "occurs twice, with different types") from None
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise self.refuse(f"{name[:60]}...", "has too long a name") from None


def _unpack_tar(stream: IO[bytes], files: _Files) -> None:
    reader = TarReader(files.archive, stream)
    with tarfile.open(fileobj=reader, mode="r:") as tar:
        for member in tar:
            if member.isdir():
                files.add_folder(member.name)
            elif member.issym() or member.islnk():
                files.add_link(member.name, member.linkname, hard=member.islnk())
            elif member.isreg():
                reader.left = member.size  # its bytes are counted where they are written
                files.add_file(member.name, tar.extractfile(member), bool(member.mode & 0o100))
            else:
                raise files.refuse(member.name, "is a device or another special file")
            reader.left = MOST_HEADERS


def _read_to_end(stream: IO[bytes], files: _Files) -> None:
    """Read the zeros after the last member, so that the checksum at the end of a compressed archive is compared."""
    left = files.limit + MOST_HEADERS
    while block := stream.read(BLOCK):
        left -= len(block)
        if left < 0:
            raise files.refuse("the end", f"exceeds the limit of {files.limit:,} unpacked bytes for this archive")


def _unpack_zip(archive: Path, files: _Files) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise files.refuse(member.filename, "is a link or special file")
            if member.is_dir():
                files.add_folder(member.filename)
            else:
                with file.open(member) as content:
                    files.add_file(member.filename, content)


def _unpack_debian(archive: Path, files: _Files) -> None:
    if shutil.which("dpkg-deb") is None:
        raise SureError("dpkg-deb is not installed, so Debian packages cannot be unpacked on this system")
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
            try:
                _unpack_tar(process.stdout, files)
                _drain(process.stdout)  # the zeros after the end
            except tarfile.TarError:
                _drain(process.stdout)  # it waits until its output is read
                if process.wait() == 0:
                    raise
        errors.seek(0)
        if process.returncode:
            message = errors.read().decode(errors="replace").strip()
            raise SureError(f"{archive} is not a readable package: {message}")


def _drain(stream: IO[bytes]) -> None:
    while stream.read(BLOCK):
        pass


def _move(source: Path, target: Path) -> None:
    """Move everything below `source` to the same place below `target`, replacing existing files."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and not entry.is_symlink():
            if place.is_symlink() or place.is_file():
                place.unlink()
            _move(entry, place)
        else:
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            os.replace(entry, place)
