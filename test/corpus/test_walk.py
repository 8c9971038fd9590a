"""The folders of a corpus: some levels, or all of them."""

import pytest

from sure.corpus.walk import files_below, files_in, folders, the_one, walk
from sure.errors import SureError


@pytest.fixture
def make(tmp_path):
    """Creates empty files, with their folders."""

    def create(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return create


def below(top, places):
    return [place.relative_to(top).as_posix() for place in places]


def test_levels_are_counted_and_sorted(make):
    top = make("b/c/d/x", "a/x", ".hidden/e/x", "__MACOSX/b/x", "lost+found/x", "file")
    assert below(top, folders(top, 0)) == ["."]
    assert below(top, folders(top, 1)) == [".", "a", "b"]
    assert below(top, folders(top, 2)) == [".", "a", "b", "b/c"]


def test_links_are_followed_and_a_circle_ends(make):
    top = make("elsewhere/inside/x", "corpus/x")
    corpus = top / "corpus"
    for name in ("one", "two"):  # both names, as a recipe may know only the second
        (corpus / name).symlink_to(top / "elsewhere")
    (top / "elsewhere" / "inside" / "round").symlink_to(corpus)
    expected = [".", "one", "one/inside", "two", "two/inside"]
    assert below(corpus, (place for place, _, _ in walk(corpus))) == expected
    assert below(corpus, folders(corpus, 2)) == expected
    assert below(corpus, folders(corpus, 3)) == [*expected[:3], "one/inside/round", *expected[3:], "two/inside/round"]


def test_a_walk_is_sorted_and_leaves_out_foreign_names(make):
    top = make("b/c/z.wav", "b/c/a.wav", "b/._a.wav", "a/x.txt", ".git/y.wav", "__MACOSX/b/._a.wav", "b/.DS_Store")
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


def test_files_by_ending_in_any_case(make):
    top = make("b/z.WAV", "b/._z.wav", "a.wav", "a.txt", "b/.hidden.wav", "b/c/d.wav.txt")
    assert below(top, files_below(top, ".wav")) == ["a.wav", "b/z.WAV"]
    assert len(list(files_below(top))) == 4
    assert below(top, files_in(top, ".wav", ".txt")) == ["a.txt", "a.wav"]
    assert below(top, files_in(top / "b", ".wav")) == ["b/z.WAV"]


def test_the_only_copy_of_a_corpus(tmp_path):
    assert the_one(tmp_path, [tmp_path / "a"], "wavs/") == tmp_path / "a"
    with pytest.raises(SureError, match="corpus: not found: wavs/, one folder below"):
        the_one(tmp_path / "corpus", [], "wavs/, one folder below")
