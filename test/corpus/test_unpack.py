"""Archives with paths or links to the outside are refused, by name, and leave no file."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from archive_files import make_deb, make_tar, member, tree

from sure.corpus.unpack import unpack, unpack_nested
from sure.errors import SureError

GOOD = {"a b.txt": b"one", "deep/er/c.wav": b"two", "deep/d": b""}


def good_archive(here: Path, name: str) -> Path:
    if name.endswith(".zip"):
        with zipfile.ZipFile(here / name, "w") as file:
            for path, content in GOOD.items():
                file.writestr(path, content)
        return here / name
    if name.endswith(".deb"):
        return make_deb(here / name, "x", "1.0", GOOD)
    mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}[Path(name).suffix]
    return make_tar(here / name, [member(path, content=content) for path, content in GOOD.items()], mode)


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tgz", "x.tar.xz", "x.tar.bz2", "x.zip", "x.deb"])
def test_good_archives(here: Path, name: str) -> None:
    archive = good_archive(here, name)
    (here / "out" / "deep").mkdir(parents=True)
    (here / "out" / "deep" / "old").write_bytes(b"stays")
    (here / "out" / "a b.txt").write_bytes(b"is replaced")
    for _ in range(2):
        unpack(archive, here / "out")
        found = tree(here / "out")
        assert {path: content for path, content in found.items() if content is not None} == {
            **GOOD,
            "deep/old": b"stays",
        }
    assert sorted(path.name for path in here.iterdir()) == ["out", name]


def test_a_tar_that_ends_in_a_zip_is_a_tar(here: Path) -> None:
    inner = good_archive(here, "x.zip").read_bytes()
    tar = make_tar(here / "y.tar", [member("a", content=b"one"), member("b.zip", content=inner)], "w")
    unpack(tar, here / "out")
    assert tree(here / "out") == {"a": b"one", "b.zip": inner}


def test_links_within_stay_and_no_mode_is_dangerous(here: Path) -> None:
    members = [
        member("d/a", content=b"one"),
        member("d/b", tarfile.SYMTYPE, "a"),
        member("c", tarfile.LNKTYPE, "d/a"),
        member("nothing", tarfile.SYMTYPE, "d/gone"),
    ]
    unpack(make_tar(here / "x.tar.gz", members), here / "out")
    assert (here / "out/d/b").read_bytes() == (here / "out/c").read_bytes() == b"one"
    assert os.readlink(here / "out/d/b") == "a"
    assert not os.path.lexists(here / "out/nothing")
    assert not (here / "out/d/a").stat().st_mode & (stat.S_ISUID | stat.S_IWOTH)


EVIL_TARS = {
    "parent": [member("../evil")],
    "deep parent": [member("a/../../evil")],
    "absolute": [member("/tmp/sure_evil")],
    "link out": [member("l", tarfile.SYMTYPE, "../..")],
    "empty link": [member("l", tarfile.SYMTYPE, "")],
    "absolute link": [member("l", tarfile.SYMTYPE, "/etc/passwd")],
    "write through a link": [member("l", tarfile.SYMTYPE, ".."), member("l/evil")],
    "write through a link within": [member("d/x"), member("l", tarfile.SYMTYPE, "d"), member("l/evil")],
    "chain of links": [
        member("a/b/c/x"),
        member("a/b/c/up", tarfile.SYMTYPE, "../../.."),
        member("out", tarfile.SYMTYPE, "a/b/c/up/.."),
        member("out/evil"),
    ],
    "hard link out": [member("h", tarfile.LNKTYPE, "../secret")],
    "absolute hard link": [member("h", tarfile.LNKTYPE, "/etc/passwd")],
    "written over a link": [member("l", tarfile.SYMTYPE, "good"), member("l")],
    "hard link through a link": [
        member("d/x"), member("l", tarfile.SYMTYPE, "d"), member("h", tarfile.LNKTYPE, "l/x")
    ],
    "out of the folder and back": [member("l", tarfile.SYMTYPE, "../out/good")],
    "a folder in a file": [member("good/x")],
    "too long a name": [member("a" * 300)],
    "pipe": [member("p", tarfile.FIFOTYPE)],
    "device": [member("d", tarfile.CHRTYPE)],
    "block device": [member("d", tarfile.BLKTYPE)],
}  # fmt: skip


def beyond_the_longest_path(depth: int = 16) -> list[tuple]:
    """Links that are longer than any path when written out: what checks one by its name gives up (CVE-2025-4517)."""
    members, inside = [], ""
    for letter in "abcdefghijklmnop"[:depth]:
        long = "d" * 247
        members.append(member(f"{inside}{long}", tarfile.DIRTYPE))
        members.append(member(f"{inside}{letter}", tarfile.SYMTYPE, long))
        inside += f"{long}/"
    short = "/".join("abcdefghijklmnop"[:depth])
    members.append(member(f"{short}/{'l' * 254}", tarfile.SYMTYPE, "../" * depth))
    members.append(member("escape", tarfile.SYMTYPE, f"{short}/{'l' * 254}/../../secret"))
    return [*members, member("hard", tarfile.LNKTYPE, "escape"), member("hard", content=b"overwritten")]


EVIL_TARS["links longer than any path"] = beyond_the_longest_path()


@pytest.mark.parametrize("kind", EVIL_TARS)
def test_evil_tars(here: Path, kind: str) -> None:
    (here / "secret").write_bytes(b"secret")
    refused(here, make_tar(here / "x.tar.gz", [member("good"), *EVIL_TARS[kind]]))


@pytest.mark.parametrize(
    ("name", "mode"), [("../evil", 0), ("/evil", 0), ("..\\evil", 0), ("l", stat.S_IFLNK), ("p", stat.S_IFIFO)]
)
def test_evil_zips(here: Path, name: str, mode: int) -> None:
    info = zipfile.ZipInfo(name)
    info.external_attr = (mode | 0o777 * bool(mode)) << 16
    with zipfile.ZipFile(here / "x.zip", "w") as file:
        file.writestr("good", "x")
        file.writestr(info, "../secret")
    refused(here, here / "x.zip")


def refused(here: Path, archive: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "old").write_bytes(b"stays")
    before = tree(here)
    with pytest.raises(SureError, match=rf"{archive.name}: refused: .*"):
        unpack(archive, here / "out")
    assert tree(here) == before
    assert not Path("/tmp/sure_evil").exists() and not (here.parent / "evil").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret"])
def test_an_evil_debian_package(here: Path, target: str) -> None:
    refused(here, make_deb(here / "x.deb", "x", "1.0", {"good": b"x"}, {"evil": target}))


ARCHIVES = ("x.tar", "x.tar.gz", "x.tar.xz", "x.tar.bz2", "x.zip", "x.deb")
DAMAGED = [(name, damage) for name in ARCHIVES for damage in ("cut", "not an archive", "empty")]
DAMAGED += [(name, "flipped") for name in ("x.tar.gz", "x.tar.xz", "x.tar.bz2")]  # others have no checksum of contents


@pytest.mark.parametrize(("name", "damage"), DAMAGED)
def test_damaged_archives(here: Path, name: str, damage: str) -> None:
    archive = good_archive(here, name)
    content = archive.read_bytes()
    middle = len(content) // 2
    half = content[: 700 if name == "x.tar" else middle]
    flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    archive.write_bytes({"cut": half, "flipped": flipped, "not an archive": b"hello " * 200, "empty": b""}[damage])
    with pytest.raises(SureError, match=f"{name} is not a readable"):
        unpack(archive, here / "out")
    assert tree(here / "out") == {}


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tar.xz", "x.zip", "x.deb"])
def test_a_bomb_ends_at_the_limit(here: Path, name: str) -> None:
    zeros = bytes(8_000_000)
    if name == "x.zip":
        with zipfile.ZipFile(here / name, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("bomb", zeros)
    elif name == "x.deb":
        make_deb(here / name, "x", "1.0", {"bomb": zeros})
    else:
        make_tar(here / name, [member("bomb", content=zeros)], f"w:{name[-2:]}")
    assert (here / name).stat().st_size < 100_000
    before = tree(here)
    with pytest.raises(SureError, match=rf"{name}: refused: .*bomb' exceeds the limit of 5,000,000 unpacked bytes"):
        unpack(here / name, here / "out", limit=5_000_000)
    assert tree(here) == before | {"out": None}
    unpack(here / name, here / "out", limit=8_000_000)
    assert (here / "out" / "bomb").stat().st_size == 8_000_000


def test_a_sparse_bomb_counts_as_what_it_becomes(here: Path) -> None:
    if shutil.which("tar") is None:
        pytest.skip("needs tar")
    with open(here / "sparse", "wb") as file:
        file.truncate(3 << 30)
    subprocess.run(["tar", "-C", here, "-czSf", here / "x.tar.gz", "sparse"], check=True)
    (here / "sparse").unlink()
    assert (here / "x.tar.gz").stat().st_size < 1000
    with pytest.raises(SureError, match="'sparse' exceeds the limit of [0-9,]+ unpacked bytes"):
        unpack(here / "x.tar.gz", here / "out")
    assert tree(here / "out") == {}


def header_bomb(kind: bytes, megabytes: int) -> bytes:
    """A tar whose first header says that a name, or what belongs to it, is so long."""
    header = tarfile.TarInfo("long")
    header.type, header.size = kind, megabytes << 20
    zeros = b"\0" * (header.size + 1024)
    return header.tobuf(tarfile.GNU_FORMAT) + zeros[:-1024] + tarfile.TarInfo("a").tobuf() + zeros[-1024:]


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("first", [True, False])
def test_a_header_is_not_read_whatever_its_size(
    here: Path, compress: Callable[[bytes], bytes], kind: bytes, first: bool
) -> None:
    good = tarfile.TarInfo("good").tobuf()
    (here / "x.tar").write_bytes(compress((b"" if first else good) + header_bomb(kind, 3)))
    refused(here, here / "x.tar")
    with pytest.raises(SureError, match="a header has more than"):
        unpack(here / "x.tar", here / "out")


def test_a_header_in_a_debian_package_is_not_read_whatever_its_size(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "bin").mkdir()
    (here / "x.deb").write_bytes(header_bomb(tarfile.XHDTYPE, 3))
    (here / "bin" / "dpkg-deb").write_text('#!/bin/sh\nexec cat "$2"\n')
    (here / "bin" / "dpkg-deb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{here / 'bin'}:{os.environ['PATH']}")
    refused(here, here / "x.deb")


def test_members_count_though_nothing_is_in_them(here: Path) -> None:
    many = make_tar(here / "x.tar.gz", [member(f"f{number}", content=b"") for number in range(40_000)])
    before = tree(here)
    with pytest.raises(SureError, match=r"x\.tar\.gz: refused: 'f\d+' exceeds the limit of [0-9,]+ members"):
        unpack(many, here / "out", limit=1000)
    assert tree(here) == before | {"out": None}


def test_many_small_files_are_no_bomb(here: Path) -> None:
    """The limit is of what is in them, as sources.yaml says it."""
    few = [member(f"speaker/{number:x}.txt", content=os.urandom(20).hex().encode()) for number in range(12_000)]
    for mode in ("w", "w:gz"):
        unpack(make_tar(here / "x.tar", few, mode), here / "out", limit=40 * 12_000)
    assert len(list((here / "out" / "speaker").iterdir())) == 12_000


def test_memory_that_is_not_there_is_the_archive_s_fault(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("sure.corpus.unpack._unpack_tar", fail)
    with pytest.raises(SureError, match="x.tar.gz is not a readable archive: MemoryError"):
        unpack(good_archive(here, "x.tar.gz"), here / "out")


def nested_archive(here: Path, inner: list[tuple]) -> Path:
    content = make_tar(here / "inner.tar.gz", inner).read_bytes()
    (here / "inner.tar.gz").unlink()
    return make_tar(here / "x.tar.gz", [member("top/part.tar.gz", content=content), member("top/list", content=b"l")])


def test_an_archive_inside_is_unpacked_where_it_lies(here: Path) -> None:
    archive = nested_archive(here, [member("clips/a", content=b"one"), member("list.csv", content=b"two")])
    for _ in range(2):  # the second time as after an interruption
        unpack(archive, here / "out")
        unpack_nested(archive, here / "out", "top/part.tar.gz")
        found = {path: content for path, content in tree(here / "out").items() if content is not None}
        assert found == {"top/clips/a": b"one", "top/list.csv": b"two", "top/list": b"l"}
    assert sorted(path.name for path in here.iterdir()) == ["out", "x.tar.gz"]


@pytest.mark.parametrize("kind", EVIL_TARS)
def test_evil_archives_inside(here: Path, kind: str) -> None:
    archive = nested_archive(here, [member("good"), *EVIL_TARS[kind]])
    unpack(archive, here / "out")
    before = tree(here)
    with pytest.raises(SureError, match=r"part\.tar\.gz: refused: .*"):
        unpack_nested(archive, here / "out", "top/part.tar.gz")
    assert tree(here) == before
    assert not Path("/tmp/sure_evil").exists() and not (here.parent / "evil").exists()


def test_what_is_no_archive_inside_is_named(here: Path) -> None:
    archive = nested_archive(here, [member("a")])
    unpack(archive, here / "out")
    with pytest.raises(SureError, match=r"x\.tar\.gz has no file 'top/gone\.tar\.gz'"):
        unpack_nested(archive, here / "out", "top/gone.tar.gz")
    with pytest.raises(SureError, match="list is not a readable archive"):
        unpack_nested(archive, here / "out", "top/list")
    assert (here / "out/top/list").read_bytes() == b"l"


def test_an_archive_inside_behind_a_link_is_refused(here: Path) -> None:
    archive = nested_archive(here, [member("a")])
    unpack(archive, here / "out")
    (here / "out/top/part.tar.gz").rename(here / "part.tar.gz")
    (here / "out/top/part.tar.gz").symlink_to(here / "part.tar.gz")
    (here / "out/link").symlink_to(here)
    for name in ("top/part.tar.gz", "link/part.tar.gz"):
        with pytest.raises(SureError, match="part.tar.gz"):
            unpack_nested(archive, here / "out", name)
    assert (here / "part.tar.gz").is_file() and not (here / "a").exists()
