"""Reading settings and tables, and replacing files and folders: one wording for each error."""

import hashlib
import os
from pathlib import Path

import pytest

from sure.data.tables import read_table
from sure.errors import SureError
from sure.files import replace_file, replace_folder, sha256_of_file
from sure.parsing import read_json, read_yaml


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        (read_json, None, "about.json does not exist"),
        (read_json, "folder", "^cannot read .*about.json: Is a directory"),
        (read_json, b'{"a": 1', r"about.json is not valid JSON \(Expecting ',' delimiter: line 1 column 8"),
        (read_json, b'{"a": "\xff"}', r"about.json is not valid JSON \('utf-8' codec can't decode"),
        (read_json, b"[" * 1_000_000, r"about.json is not valid JSON \(it is nested too deeply\)"),
        (read_json, b"[1]", "about.json: expected keys and values at the top, found list"),
        (read_json, b'{"b": 1}', "about.json lacks a, c"),
        (read_yaml, None, "about.json does not exist"),
        (read_yaml, b"a: [", r"about.json is not valid YAML \(while parsing a flow node"),
    ],
)
def test_damaged_settings(tmp_path: Path, read, content: bytes | str | None, message: str) -> None:
    path = tmp_path / "about.json"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(SureError, match=f"{message}.*; run stage 3 again$"):
        read(path, "run stage 3 again", keys=("a", "b", "c"))


def test_tables(tmp_path: Path) -> None:
    assert read_table(tmp_path / "utt2spk") == {}
    (tmp_path / "utt2spk").write_text("b  two  words \n\na\n", encoding="utf-8")
    assert read_table(tmp_path / "utt2spk") == {"b": "two words", "a": ""}


def test_a_file_is_on_the_disk_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr("os.fsync", lambda descriptor: (calls.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr("os.replace", lambda *paths: (calls.append("replace"), replace(*paths)))
    replace_file(tmp_path / "a", "content")
    assert calls == ["fsync", "replace", "fsync"] and (tmp_path / "a").read_text() == "content"  # last: the folder


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "tokens.partial" / "rest").mkdir(parents=True)  # of a run that was killed

    def fail(place: Path) -> None:
        assert list(place.iterdir()) == []
        (place / "second").write_text("2")
        raise SureError("not today")

    replace_folder(tmp_path / "tokens", lambda place: (place / "first").write_text("1"))
    with pytest.raises(SureError, match="not today"):
        replace_folder(tmp_path / "tokens", fail)
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["tokens", "tokens/first"]
    replace_folder(tmp_path / "tokens", lambda place: (place / "third").write_text("3"))
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["tokens", "tokens/third"]


def test_digest_of_a_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000  # more than one chunk
    (tmp_path / "x").write_bytes(content)
    assert sha256_of_file(tmp_path / "x") == hashlib.sha256(content).hexdigest()
