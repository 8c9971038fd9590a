"""The folders of a corpus, so many levels deep or all of them."""

from __future__ import annotations

import os

import pytest

from sure.corpus.walk import files_below, files_in, folders, the_one, walk
from sure.errors import SureError


def names(top, levels):
    return [str(folder.relative_to(top)) for folder in folders(top, levels)]


def test_levels_are_counted_and_sorted(tmp_path):
    for path in ("b/c/d", "a", ".hidden/e", "__MACOSX/b", "lost+found"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "file").touch()
    assert names(tmp_path, 0) == ["."]
    assert names(tmp_path, 1) == [".", "a", "b"]
    assert names(tmp_path, 2) == [".", "a", "b", "b/c"]


def test_links_are_followed_and_a_circle_ends(tmp_path):
    (tmp_path / "elsewhere" / "inside").mkdir(parents=True)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "link").symlink_to(tmp_path / "elsewhere")
    (corpus / "round").symlink_to(corpus)
    assert names(corpus, 2) == [".", "link", "link/inside", "round", "round/link", "round/round"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can list every folder")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    for listed in (folders(tmp_path, 2), walk(tmp_path)):
        with pytest.raises(SureError, match="cannot list the folder .*closed"):
            list(listed)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(SureError, match="cannot list the folder .*nowhere: No such file"):
        list(folders(tmp_path / "nowhere", 1))
    with pytest.raises(SureError, match="cannot list the folder .*nowhere: No such file"):
        list(walk(tmp_path / "nowhere"))


def test_a_walk_is_sorted_and_leaves_out_what_is_no_part_of_a_corpus(tmp_path):
    for path in ("b/c/z.wav", "b/c/a.wav", "b/._a.wav", "a/x.txt", ".git/y.wav", "__MACOSX/b/._a.wav", "b/.DS_Store"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert [(place.relative_to(tmp_path).as_posix(), *names) for place, *names in walk(tmp_path)] == [
        (".", ["a", "b"], []),
        ("a", [], ["x.txt"]),
        ("b", ["c"], []),
        ("b/c", [], ["a.wav", "z.wav"]),
    ]


def test_a_walk_follows_links_and_goes_no_circle(tmp_path):
    (tmp_path / "elsewhere" / "inside").mkdir(parents=True)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name in ("one", "two"):  # under both names, as a recipe may know only the second
        (corpus / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "inside" / "round").symlink_to(corpus)
    found = [place.relative_to(corpus).as_posix() for place, _, _ in walk(corpus)]
    assert found == [".", "one", "one/inside", "two", "two/inside"]


def test_what_is_taken_out_of_a_walk_is_not_gone_into(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    places = []
    for place, below, _ in walk(tmp_path):
        places.append(place.name)
        below[:] = [name for name in below if name != "b"]
    assert places == [tmp_path.name, "a"]


def test_files_by_ending_in_any_case(tmp_path):
    for path in ("b/z.WAV", "b/._z.wav", "a.wav", "a.txt", "b/.hidden.wav", "b/c/d.wav.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path, ".wav")] == ["a.wav", "b/z.WAV"]
    assert len(list(files_below(tmp_path))) == 4
    assert files_in(tmp_path, ".wav", ".txt") == [tmp_path / "a.txt", tmp_path / "a.wav"]
    assert files_in(tmp_path / "b", ".wav") == [tmp_path / "b" / "z.WAV"]


def test_the_only_copy_of_a_corpus(tmp_path):
    assert the_one(tmp_path, [tmp_path / "a"], "wavs/") == tmp_path / "a"
    with pytest.raises(SureError, match="corpus: not found: wavs/, one folder below"):
        the_one(tmp_path / "corpus", [], "wavs/, one folder below")
    with pytest.raises(SureError, match="more than one copy of the corpus; pass one of them: --corpus .*a or .*b"):
        the_one(tmp_path, [tmp_path / "a", tmp_path / "b"], "wavs/")
