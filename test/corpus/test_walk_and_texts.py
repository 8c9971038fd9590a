"""The folders of a corpus, some levels or all of them; and its text files, UTF-8 or in any encoding."""

import gzip

import pytest

from sure.corpus.texts import one_word, read_any_text, read_text, read_transcript
from sure.corpus.walk import files_below, files_in, folders, walk
from sure.errors import SureError


def make(top, *names):
    """Create empty files, with their folders."""
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    return top


def below(top, places):
    return [place.relative_to(top).as_posix() for place in places]


def test_levels_are_counted_and_sorted(tmp_path):
    top = make(tmp_path, "b/c/d/x", "a/x", ".hidden/e/x", "__MACOSX/b/x", "lost+found/x", "file")
    assert below(top, folders(top, 0)) == ["."]
    assert below(top, folders(top, 1)) == [".", "a", "b"]
    assert below(top, folders(top, 2)) == [".", "a", "b", "b/c"]


def test_links_are_followed_and_a_circle_ends(tmp_path):
    top = make(tmp_path, "elsewhere/inside/x", "corpus/x")
    corpus = top / "corpus"
    for name in ("one", "two"):  # both names, as a recipe may know only the second
        (corpus / name).symlink_to(top / "elsewhere")
    (top / "elsewhere" / "inside" / "round").symlink_to(corpus)
    expected = [".", "one", "one/inside", "two", "two/inside"]
    assert below(corpus, (place for place, _, _ in walk(corpus))) == expected
    assert below(corpus, folders(corpus, 2)) == expected
    assert below(corpus, folders(corpus, 3)) == [*expected[:3], "one/inside/round", *expected[3:], "two/inside/round"]


def test_a_walk_is_sorted_and_leaves_out_foreign_names(tmp_path):
    top = make(tmp_path, "b/c/z.wav", "b/c/a.wav", "b/._a.wav", "a/x.txt", ".git/y.wav", "__MACOSX/b/x", "b/.DS_Store")
    assert [(place.relative_to(top).as_posix(), *names) for place, *names in walk(top)] == [
        (".", ["a", "b"], []),
        ("a", [], ["x.txt"]),
        ("b", ["c"], []),
        ("b/c", [], ["a.wav", "z.wav"]),
    ]
    places = []
    for place, names, _ in walk(top):
        places.append(place)
        names[:] = [name for name in names if name != "c"]  # is then skipped
    assert below(top, places) == [".", "a", "b"]
    for listed in (folders(top / "nowhere", 1), walk(top / "nowhere")):
        with pytest.raises(SureError, match="cannot list the folder .*nowhere: No such file"):
            list(listed)


def test_files_by_ending_in_any_case(tmp_path):
    top = make(tmp_path, "b/z.WAV", "b/._z.wav", "a.wav", "a.txt", "b/.hidden.wav", "b/c/d.wav.txt")
    assert below(top, files_below(top, ".wav")) == ["a.wav", "b/z.WAV"]
    assert len(list(files_below(top))) == 4
    assert below(top, files_in(top, ".wav", ".txt")) == ["a.txt", "a.wav"]
    assert below(top, files_in(top / "b", ".wav")) == ["b/z.WAV"]


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
    with pytest.raises(SureError, match=f"{name}(:1: not UTF-8|: cannot be read) .*again"):
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
