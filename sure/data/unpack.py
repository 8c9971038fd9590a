"""Unpack an archive that others made: nothing outside the folder, no links out of it, no devices."""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from sure.errors import SureError

DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar (any compression), zip or Debian package into `folder`, beside what is already there.

    It is unpacked next to the folder first and moved file by file, so a refused or damaged archive changes
    nothing. Raises SureError naming the archive and the member for anything that could reach outside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _beside(folder) as temporary:
        try:
            if archive.suffix == ".deb":
                _unpack_debian(archive, temporary)
            elif zipfile.is_zipfile(archive):
                _unpack_zip(archive, temporary)
            else:
                _unpack_tar(archive, temporary)
        except DAMAGE as error:
            raise SureError(f"{archive}: not a readable archive: {error}") from None
        except OSError as error:
            if error.errno is not None:  # the disk, not the archive
                raise
            raise SureError(f"{archive}: not a readable archive: {error}") from None
        _refuse_links_out(archive, temporary)
        _move(temporary, folder)


def unpack_nested(archive: Path, folder: Path, name: str) -> None:
    """Unpack `folder/name`, an archive that came out of `archive`, where it lies, and remove it.

    The same promises and errors as `unpack`; SureError too when `archive` had no such file.
    """
    inner = folder / name
    if inner.is_symlink() or not inner.is_file():
        raise SureError(f"{archive}: there is no file '{name}' in it; is it another release of the corpus?")
    if inner.resolve().parent != (folder.resolve() / name).parent:
        raise SureError(f"{archive}: refused: '{name}' lies behind a link")
    unpack(inner, inner.parent)
    inner.unlink()


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    temporary = folder.parent / f".{folder.name}.unpacking"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in tar:
            _check_name(archive, member.name)
            if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
                raise SureError(f"{archive}: refused: '{member.name}' is a device or another special file")
            _check_parent(archive, folder, member.name)
            if hasattr(tarfile, "data_filter"):  # Python from 3.10.12, 3.11.4, 3.12
                tar.extract(member, folder, filter=_data_filter(archive))
            elif member.issym() or member.islnk():
                raise SureError(f"{archive}: refused: '{member.name}' is a link (this Python cannot check links)")
            else:
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                tar.extract(member, folder)


def _data_filter(archive: Path):
    def check(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        try:
            return tarfile.data_filter(member, path)
        except tarfile.FilterError as error:
            raise SureError(f"{archive}: refused: {error}") from None

    return check


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            _check_name(archive, member.filename)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise SureError(f"{archive}: refused: '{member.filename}' is a link or special file")
            file.extract(member, folder)


def _unpack_debian(archive: Path, folder: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        raise SureError("dpkg-deb is not installed: Debian packages cannot be unpacked on this system")
    done = subprocess.run(["dpkg-deb", "-x", str(archive), str(folder)], capture_output=True, text=True)
    if done.returncode:
        raise SureError(f"{archive}: not a readable package: {done.stderr.strip()}")


def _check_name(archive: Path, name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise SureError(f"{archive}: refused: '{name}' lies outside the archive's folder")


def _check_parent(archive: Path, folder: Path, name: str) -> None:
    """A member must not be written through a link that an earlier member made."""
    parent = folder.resolve() / PurePosixPath(name).parent
    if parent.resolve() != parent:
        raise SureError(f"{archive}: refused: '{name}' would be written through a link")


def _refuse_links_out(archive: Path, folder: Path) -> None:
    root = os.path.realpath(folder)
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = os.path.join(parent, name)
            if os.path.islink(path):
                target = os.path.realpath(path)
                if os.path.isabs(os.readlink(path)) or os.path.commonpath([root, target]) != root:
                    raise SureError(f"{archive}: refused: '{os.path.relpath(path, folder)}' links outside")


def _move(source: Path, target: Path) -> None:
    """Move everything below `source` to the same place below `target`, over files that are there."""
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
