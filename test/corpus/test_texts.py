"""Text files of a corpus: UTF-8, compressed or not, transcripts in any encoding, and names as single words."""

import gzip

import pytest

from sure.corpus.texts import one_word, read_text, read_transcript
from sure.errors import SureError


def test_text_is_the_same_compressed_or_not(tmp_path):
    content = "\ufeffél, \r\nla\n".encode()
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(content))
    for name in ("a.txt", "a.txt.gz"):
        assert read_text(tmp_path / name) == "él, \nla\n"
        assert read_text(tmp_path / name, newline="\n") == "él, \r\nla\n"


@pytest.mark.parametrize(("name", "content"), [
    ("a.txt", b"\xff"), ("a.gz", b"plain"), ("a.gz", gzip.compress(b"x" * 9999)[:40]),
    ("a.gz", gzip.compress(b"vm-login: Hola")[:10] + b"\xff" * 20), ("missing", None),
], ids=["not UTF-8", "not gzip", "cut", "damaged", "missing"])  # fmt: skip
def test_a_damaged_file_is_named(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SureError, match=f"{name}: cannot be read as UTF-8 text .*again"):
        read_text(tmp_path / name)


def test_transcripts_and_names(tmp_path):
    assert read_transcript(tmp_path / "a.txt") == ""
    (tmp_path / "a.txt").write_bytes("no,\r\n it’s  \n".encode("cp1252"))
    assert read_transcript(tmp_path / "a.txt") == "no, it’s"
    assert one_word(" change \tlanguage\n") == "change_language"
