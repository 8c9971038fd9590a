"""Archives and packages for the tests, good and malicious."""

import io
import shutil
import subprocess
import tarfile
import zipfile
from hashlib import sha256 as hashed
from pathlib import Path

import pytest


def sha256(content: bytes) -> str:
    return hashed(content).hexdigest()


def tree(folder: Path) -> dict[str, bytes | None]:
    """Path -> content of a file, None for a folder."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in paths}


def files_in(folder: Path) -> dict[str, bytes]:
    """The contents of the files of `tree`, without the marks of finished downloads."""
    found = tree(folder).items()
    return {path: content for path, content in found if content is not None and not path.startswith(".fetched")}


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"bad") -> tuple:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o4777
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    return info, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple:
    return member(name, kind, target)


def make_tar(path: Path, members: list[tuple], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


def make_archive(path: Path, files: dict[str, bytes]) -> Path:
    """A zip, a Debian package or a tar, by the suffix."""
    if path.suffix == ".deb":
        return make_deb(path, files)
    if path.suffix != ".zip":
        compression = {".tar": "", ".tgz": "gz"}.get(path.suffix, path.suffix[1:])
        return make_tar(path, [member(name, content=content) for name, content in files.items()], f"w:{compression}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def archive_bytes(name: str, files: dict[str, bytes]) -> bytes:
    """The content of such an archive, made in the current directory and deleted."""
    path = make_archive(Path(name), files)
    content = path.read_bytes()
    path.unlink()
    return content


def make_deb(path: Path, files: dict[str, bytes], name: str = "x", version: str = "1.0") -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    root = path.parent / f"{path.name}.tree"
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <a@b.invalid>\n"
    for file, content in {"DEBIAN/control": f"{control}Description: x\n".encode(), **files}.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(content)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, path], check=True, capture_output=True)
    shutil.rmtree(root)
    return path
