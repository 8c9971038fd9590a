"""Ark archives through both libraries, each reading what the other wrote."""

import importlib
import sys

import numpy as np
import pytest

from sure.data import ark
from sure.errors import SureError

LIBRARIES = ark.LIBRARIES
ARRAYS = {
    "b": np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32),
    "a": np.random.default_rng(1).standard_normal((4, 2)),
    "vector": np.arange(5, dtype=np.float32),
    "integers": np.arange(-3, 4, dtype=np.int32),
    "名前": np.zeros((0, 3), np.float32),
}


@pytest.fixture(params=LIBRARIES)
def use(request, monkeypatch):
    """Chooses a library; at first each one in turn."""

    def choose(library):
        pytest.importorskip(library)
        ark.library.cache_clear()
        monkeypatch.setattr(ark, "LIBRARIES", (library,))

    choose(request.param)
    yield choose
    ark.library.cache_clear()


def equal(found, expected):
    return found.dtype == expected.dtype and np.array_equal(found, expected)


def test_both_libraries_read_what_was_written(use, here):
    scp = ark.write_ark(here / "deep" / "x.ark", ARRAYS.items())
    assert not list(here.rglob("*.part"))
    assert sorted(ARRAYS) == [line.split()[0] for line in scp.read_text().splitlines()]
    for reader in LIBRARIES:
        use(reader)
        index = ark.Scp(scp)
        assert sorted(index) == sorted(ARRAYS) and len(index) == len(ARRAYS)
        assert all(equal(index[id], array) for id, array in ARRAYS.items())


def test_float16_is_widened_and_audio_keeps_its_rate(use, here):
    half = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float16)
    samples = np.arange(-500, 500, dtype=np.int16)
    index = ark.Scp(ark.write_ark("x.ark", [("a", half), ("b", (8000, samples))]))
    assert equal(index["a"], half.astype(np.float32))
    rate, found = index["b"]
    assert rate == 8000 and np.array_equal(found, samples)


def test_a_failed_write_leaves_the_old_archive(use, here):
    scp = ark.write_ark("x.ark", [("a", np.ones(3, np.float32))])
    for bad, message in (
        ([("b", np.ones(2, np.float32)), ("b", np.ones(2, np.float32))], "'b' is repeated"),
        ([("b c", np.ones(2, np.float32))], "not one word"),
        ([("b", np.ones((2, 2, 2), np.float32))], "cannot store 'b'"),
        ([("b", np.ones((2, 2), np.int32))], "cannot store 'b'"),
    ):
        with pytest.raises(SureError, match=message):
            ark.write_ark("x.ark", bad)
    assert list(ark.Scp(scp)) == ["a"] and np.array_equal(ark.Scp(scp)["a"], np.ones(3))


def test_faults_of_an_scp_are_named(here):
    for content, message in (
        ("a touch made |\n", "1: .* is a command"),
        ("a | touch made\n", "1: .* is a command"),
        ("a x.ark:2\n\na x.ark:2\n", "3: 'a' is repeated"),
        ("a\n", "1: 'a' has no archive"),
    ):
        (here / "x.scp").write_text(content)
        with pytest.raises(SureError, match=rf"x\.scp:{message}"):
            ark.Scp("x.scp")
    with pytest.raises(SureError, match="expected a name that ends in .ark"):
        ark.write_ark("x.scp", [])


def test_damaged_archives_are_named(use, here):
    index = ark.Scp(ark.write_ark("x.ark", [("a", np.ones((50, 3), np.float32))]))
    (here / "x.ark").write_bytes((here / "x.ark").read_bytes()[:100])
    with pytest.raises(SureError, match=r"cannot read the archive entry .*x\.ark:\d+: "):
        index["a"]
    (here / "x.ark").unlink()
    with pytest.raises(SureError, match="expected an existing archive"):
        index["a"]
    (here / "touch made |").write_bytes(b"")
    with pytest.raises(SureError, match="expected an existing archive"):
        ark.read_at("touch made |:0")


def test_the_first_installed_library_is_used(monkeypatch):
    for name in LIBRARIES:
        pytest.importorskip(name)
        ark.library.cache_clear()
        assert ark.library() is importlib.import_module(name)
        monkeypatch.setitem(sys.modules, name, None)
    ark.library.cache_clear()
    with pytest.raises(SureError, match="pip install"):
        ark.library()
    monkeypatch.undo()
    ark.library.cache_clear()
