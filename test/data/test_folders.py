"""The folders of a corpus, so many levels deep."""

from __future__ import annotations

import os

import pytest

from sure.data.folders import folders
from sure.errors import SureError


def names(top, levels):
    return [str(folder.relative_to(top)) for folder in folders(top, levels)]


def test_levels_are_counted_and_sorted(tmp_path):
    for path in ("b/c/d", "a", ".hidden/e"):
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
    with pytest.raises(SureError, match="closed: cannot be listed"):
        list(folders(tmp_path, 2))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(SureError, match="nowhere: cannot be listed.*No such file"):
        list(folders(tmp_path / "nowhere", 1))
