"""Text files of a corpus: UTF-8, compressed or not, transcripts in any encoding, and names as single words."""

import gzip

import pytest

from sure.corpus.texts import one_word, read_any_text, read_text, read_transcript
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
])  # fmt: skip
def test_a_damaged_file_is_named(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SureError, match=f"{name}: cannot be read as UTF-8 text .*again"):
        read_text(tmp_path / name)
    with pytest.raises(SureError, match=r"cannot read .*gone\.txt: No such file"):
        read_any_text(tmp_path / "gone.txt")


ENGLISH = "0011_000001\tIt’s “Tom”.\tNeutral\r\n"
QUOTES = ENGLISH.encode("cp1252")  # of Windows, also decoded as Latin-1
CHINESE = "0001_000001\t打远一看。\t中立\n"


ENCODINGS = [(mark, f"utf-{form}") for form in ("8", "16-le", "16-be") for mark in ("", "\ufeff")] + [("", "gb18030")]


@pytest.mark.parametrize(("content", "text"), [
    *[((mark + text).encode(code), text) for mark, code in ENCODINGS for text in (ENGLISH, CHINESE)],
    *((content, ENGLISH) for content in (QUOTES, QUOTES.decode("latin-1").encode())),
    ("\ufeffone\n\ufefftwo".encode(), "one\ntwo"), ("\ufeffone".encode("utf-16-le")[:-1], "on\ufffd"),
])  # fmt: skip
def test_every_encoding_gives_the_same_text(tmp_path, content, text):
    (tmp_path / "some.txt").write_bytes(content)
    assert read_any_text(tmp_path / "some.txt", "latin-1" if content == QUOTES else "gb18030") == text


def test_every_byte_can_be_read(tmp_path):
    (tmp_path / "some.txt").write_bytes(bytes(range(1, 256)))
    assert "ABC" in (text := read_any_text(tmp_path / "some.txt")) and "\u20ac" in text


def test_transcripts_and_names(tmp_path):
    assert read_transcript(tmp_path / "a.txt") == ""
    (tmp_path / "a.txt").write_bytes("no,\r\n it’s  \n".encode("cp1252"))
    assert read_transcript(tmp_path / "a.txt") == "no, it’s"
    assert one_word(" change \tlanguage\n") == "change_language"
