"""The same text from files in different encodings."""

import pytest

from sure.errors import SureError
from sure.text.encoding import read_any_text

ENGLISH = "0011_000001\tIt’s “Tom”.\tNeutral\r\n"
CHINESE = "0001_000001\t打远一看。\t中立\n"


ENCODINGS = [("", "utf-8"), ("\ufeff", "utf-8"), ("", "utf-16-le"), ("\ufeff", "utf-16-le"), ("", "utf-16-be"),
             ("\ufeff", "utf-16-be"), ("", "gb18030")]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "text"),
    [
        *[((mark + text).encode(code), text) for mark, code in ENCODINGS for text in (ENGLISH, CHINESE)],
        *[("\ufeffone\n\ufefftwo".encode(), "one\ntwo"), ("\ufeffone".encode("utf-16-le")[:-1], "on\ufffd")],
    ],
)
def test_every_encoding_gives_the_same_text(tmp_path, content, text):
    (tmp_path / "some.txt").write_bytes(content)
    assert read_any_text(tmp_path / "some.txt", "gb18030") == text


@pytest.mark.parametrize("content", [ENGLISH.encode("cp1252"), ENGLISH.encode("cp1252").decode("latin-1").encode()])
def test_windows_quotes_decoded_as_latin_1_are_restored(tmp_path, content):
    (tmp_path / "some.csv").write_bytes(content)
    assert read_any_text(tmp_path / "some.csv") == ENGLISH


def test_every_byte_can_be_read(tmp_path):
    (tmp_path / "some.txt").write_bytes(bytes(range(1, 256)))
    assert "ABC" in (text := read_any_text(tmp_path / "some.txt")) and "\u20ac" in text


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SureError, match=r"cannot read .*gone\.txt: No such file"):
        read_any_text(tmp_path / "gone.txt")
