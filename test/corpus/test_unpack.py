"""Archives with paths or links to the outside are refused by name and leave no file."""

import gzip
import os
import stat
import tarfile
import zipfile
from pathlib import Path
from unittest.mock import Mock

import pytest
from archive_files import archive_bytes, files_in, link, make_archive, make_tar, member, tree

from sure.corpus.unpack import unpack, unpack_nested
from sure.errors import SureError

HARD = tarfile.LNKTYPE
GOOD = {"a b.txt": b"one", "deep/er/c.wav": b"two", "deep/d": b""}


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tgz", "x.tar.xz", "x.tar.bz2", "x.zip", "x.deb"])
def test_good_archives(here, name):
    archive = make_archive(here / name, GOOD)
    (here / "out" / "deep").mkdir(parents=True)
    (here / "out" / "deep" / "old").write_bytes(b"stays")
    (here / "out" / "a b.txt").write_bytes(b"is replaced")
    for _ in range(2):
        unpack(archive, here / "out")
        assert files_in(here / "out") == {**GOOD, "deep/old": b"stays"}
    assert sorted(path.name for path in here.iterdir()) == ["out", name]


def test_a_tar_that_ends_in_a_zip_is_a_tar(here):
    inner = archive_bytes("x.zip", GOOD)
    unpack(make_archive(here / "y.tar", {"a": b"one", "b.zip": inner}), here / "out")
    assert tree(here / "out") == {"a": b"one", "b.zip": inner}


def test_links_within_stay_and_no_mode_is_dangerous(here):
    members = [member("d/a", content=b"one"), link("d/b", "a"), link("c", "d/a", HARD), link("nothing", "d/gone")]
    unpack(make_tar(here / "x.tar.gz", members), here / "out")
    assert (here / "out/d/b").read_bytes() == (here / "out/c").read_bytes() == b"one"
    assert os.readlink(here / "out/d/b") == "a"
    assert not os.path.lexists(here / "out/nothing")
    assert not (here / "out/d/a").stat().st_mode & (stat.S_ISUID | stat.S_IWOTH)


def beyond_the_longest_path():
    """Links longer than any path when resolved; checks by name then fail (CVE-2025-4517)."""
    members, letters, long = [], "abcdefghijklmnop", "d" * 247
    for depth, letter in enumerate(letters):
        inside = f"{long}/" * depth
        members += [member(f"{inside}{long}", tarfile.DIRTYPE), link(f"{inside}{letter}", long)]
    end = f"{'/'.join(letters)}/{'l' * 254}"
    members += [link(end, "../" * len(letters)), link("escape", f"{end}/../../secret")]
    return [*members, link("hard", "escape", HARD), member("hard", content=b"overwritten")]


MALICIOUS = [
    [member("../evil")], [member("/tmp/sure_evil")],
    [link("l", "../..")], [link("l", "")], [link("l", "/etc/passwd")],
    [link("l", ".."), member("l/evil")], [member("d/x"), link("l", "d"), member("l/evil")],  # written through a link
    [member("a/b/c/x"), link("a/b/c/up", "../../.."), link("out", "a/b/c/up/.."), member("out/evil")],
    [link("h", "../secret", HARD)], [member("d/x"), link("l", "d"), link("h", "l/x", HARD)],
    [link("l", "good"), member("l")],  # written over a link
    [link("l", "../out/good")],  # out of the folder and back
    [member("good/x")], [member("a" * 300)],
    [member("p", tarfile.FIFOTYPE)], [member("d", tarfile.CHRTYPE)],
    beyond_the_longest_path(),
]  # fmt: skip


def refused(here, archive, message="", **options):
    """Unpacking the archive is an error that names the archive, and changes no file."""
    (here / "out").mkdir(exist_ok=True)
    (here / "out" / "old").write_bytes(b"stays")
    before = tree(here)
    with pytest.raises(SureError, match=rf"{archive.name}: refused: .*{message}"):
        unpack(archive, here / "out", **options)
    assert tree(here) == before
    assert not Path("/tmp/sure_evil").exists() and not (here.parent / "evil").exists()


@pytest.mark.parametrize("members", MALICIOUS)
def test_malicious_tars(here, members):
    (here / "secret").write_bytes(b"secret")
    refused(here, make_tar(here / "x.tar.gz", [member("good"), *members]))


@pytest.mark.parametrize(("name", "kind"), [
    ("../evil", 0), ("/evil", 0), ("..\\evil", 0), ("l", stat.S_IFLNK), ("p", stat.S_IFIFO)
])  # fmt: skip
def test_malicious_zips(here, name, kind):
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16 if kind else 0
    with zipfile.ZipFile(here / "x.zip", "w") as file:
        file.writestr("good", "x")
        file.writestr(info, "../secret")
    refused(here, here / "x.zip")


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tar.xz", "x.zip", "x.deb"])
def test_a_bomb_ends_at_the_limit(here, monkeypatch, name):
    bomb = make_archive(here / name, {"bomb": bytes(8_000_000)})
    assert bomb.stat().st_size < 100_000
    monkeypatch.setattr("sure.corpus.unpack.most_bytes", lambda archive: 5_000_000)  # the default limit
    refused(here, bomb, "bomb' exceeds the limit of 5,000,000 unpacked bytes")
    unpack(bomb, here / "out", limit=8_000_000)
    assert (here / "out" / "bomb").stat().st_size == 8_000_000


def test_zeros_after_the_last_member_are_limited(here):
    (here / "x.tar.gz").write_bytes(gzip.compress(archive_bytes("x.tar", GOOD) + bytes(3 << 20)))
    refused(here, here / "x.tar.gz", "'the end' exceeds the limit of 1,000 unpacked bytes", limit=1000)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("before", [b"", tarfile.TarInfo("good").tobuf()], ids=["first", "second"])
def test_the_size_of_a_header_is_limited(here, compress, kind, before):
    header = tarfile.TarInfo("long")
    header.type, header.size = kind, 3 << 20  # of a name or of attributes
    bomb = header.tobuf(tarfile.GNU_FORMAT) + bytes(header.size) + tarfile.TarInfo("a").tobuf() + bytes(1024)
    (here / "x.tar").write_bytes(compress(before + bomb))
    refused(here, here / "x.tar", "a header has more than")


def test_the_number_of_members_is_limited(here, monkeypatch):
    monkeypatch.setattr("sure.corpus.unpack.FREE_MEMBERS", 100)
    empty = make_archive(here / "x.tar.gz", {f"f{number}": b"" for number in range(2000)})
    refused(here, empty, r"'f\d+' exceeds the limit of [0-9,]+ members", limit=1000)
    small = {f"small/{number:x}": os.urandom(20).hex().encode() for number in range(1000)}
    unpack(make_archive(here / "x.tar.gz", small), here / "out", limit=40 * 1000)  # as sources.yaml declares it
    assert len(list((here / "out" / "small").iterdir())) == 1000


def test_missing_memory_is_a_fault_of_the_archive(here, monkeypatch):
    monkeypatch.setattr("sure.corpus.unpack._unpack_tar", Mock(side_effect=MemoryError))
    with pytest.raises(SureError, match="x.tar.gz is not a readable archive: MemoryError"):
        unpack(make_archive(here / "x.tar.gz", GOOD), here / "out")


def test_unusable_archives_inside_are_named(here):
    archive = make_archive(here / "x.tar.gz", {"top/list": b"l"})
    unpack(archive, here / "out")
    make_tar(here / "out/top/evil.tar.gz", [member("../evil")])
    make_archive(here / "part.tar.gz", {"a": b"one"})
    (here / "out/top/link.tar.gz").symlink_to(here / "part.tar.gz")
    (here / "out/link").symlink_to(here)
    for name, message in (
        ("top/gone.tar.gz", r"x\.tar\.gz has no file 'top/gone\.tar\.gz'"),
        ("top/list", "list is not a readable archive"),
        ("top/evil.tar.gz", "evil.tar.gz: refused: '../evil'"),
        ("top/link.tar.gz", r"x\.tar\.gz has no file 'top/link\.tar\.gz'"),
        ("link/part.tar.gz", r"x\.tar\.gz: refused: the path 'link/part\.tar\.gz' contains a link"),
    ):
        with pytest.raises(SureError, match=message):
            unpack_nested(archive, here / "out", name)
    assert (here / "out/top/list").read_bytes() == b"l"
    assert (here / "part.tar.gz").is_file() and not (here / "a").exists()
