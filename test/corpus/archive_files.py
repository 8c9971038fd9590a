"""Archives and packages for the tests, good and evil."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

WEIGHTS = b"weights " * 1000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"bad") -> tuple:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o4777
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    return info, content


def make_tar(path: Path, members: list[tuple], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def make_deb(path: Path, name: str, version: str, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    root = path.parent / f"{path.name}.tree"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody <a@b.invalid>\nDescription: x\n"
    )
    for file, content in files.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(content)
    for link, target in (links or {}).items():
        (root / link).symlink_to(target)
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", root, path], check=True, capture_output=True)
    shutil.rmtree(root)
    return path
