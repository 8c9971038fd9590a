"""The same text from files in different encodings."""

import codecs

import pytest

from sure.errors import SureError
from sure.text.encoding import read_any_text

ENGLISH = "0011_000001\tIt’s “Tom”.\tNeutral\r\n"
CHINESE = "0001_000001\t打远一看。\t中立\n"


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
@pytest.mark.parametrize(
    "mark, encoding",
    [
        (b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (b"", "utf-16-le"), (codecs.BOM_UTF16_LE, "utf-16-le"),
        (b"", "utf-16-be"), (codecs.BOM_UTF16_BE, "utf-16-be"), (b"", "gb18030"),
    ],
)  # fmt: skip
def test_every_encoding_gives_the_same_text(tmp_path, text, mark, encoding):
    path = tmp_path / "some.txt"
    path.write_bytes(mark + text.encode(encoding))
    assert read_any_text(path, "gb18030") == text


@pytest.mark.parametrize("content", [ENGLISH.encode("cp1252"), ENGLISH.encode("cp1252").decode("latin-1").encode()])
def test_windows_quotes_decoded_as_latin_1_are_restored(tmp_path, content):
    path = tmp_path / "some.csv"
    path.write_bytes(content)
    assert read_any_text(path) == ENGLISH


def test_inner_byte_order_marks_and_incomplete_characters(tmp_path):
    path = tmp_path / "some.txt"
    path.write_bytes("\ufeffone\n\ufefftwo".encode())
    assert read_any_text(path) == "one\ntwo"
    path.write_bytes(codecs.BOM_UTF16_LE + "one\ntwo".encode("utf-16-le")[:-1])
    assert read_any_text(path) == "one\ntw\ufffd"


def test_every_byte_can_be_read(tmp_path):
    path = tmp_path / "some.txt"
    path.write_bytes(bytes(range(1, 256)))
    assert "ABC" in read_any_text(path) and "\u20ac" in read_any_text(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SureError, match=r"cannot read .*gone\.txt: No such file"):
        read_any_text(tmp_path / "gone.txt")
