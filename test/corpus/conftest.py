"""Fixtures of the corpus tests: a file server, a Debian repository and a folder of wheels."""

import pytest
from archive_files import WEIGHTS, make_archive, make_deb, sha256
from file_server import serve


@pytest.fixture
def server():
    with serve() as running:
        yield running


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """apt-get, without package lists, knows one repository: a folder with sure-speech 1.0-1."""
    folder = tmp_path / "repository"
    folder.mkdir()
    package = make_deb(folder / "sure-speech_1.0-1_all.deb", "sure-speech", "1.0-1", {"usr/share/x.wav": b"x"})
    (folder / "Packages").write_text(
        "Package: sure-speech\nVersion: 1.0-1\nArchitecture: all\nMaintainer: nobody <a@b.invalid>\n"
        f"Filename: ./{package.name}\nSize: {package.stat().st_size}\n"
        f"SHA256: {sha256(package.read_bytes())}\nDescription: x\n"
    )
    (tmp_path / "state").mkdir()
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{folder} ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "-";\n'
        f'Dir::State::Lists "{tmp_path}/state";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return package


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """pip, without an index, knows one folder of wheels: with sure-weights 1.2."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    files = {
        "sure_weights/assets/encoder.bin": WEIGHTS,
        "sure_weights-1.2.dist-info/METADATA": b"Metadata-Version: 2.1\nName: sure-weights\nVersion: 1.2\n",
        "sure_weights-1.2.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "sure_weights-1.2.dist-info/RECORD": b"",
    }
    wheel = make_archive(folder / "wheel.zip", files)
    wheel.rename(folder / "sure_weights-1.2-py3-none-any.whl")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder
