"""Ark archives through both libraries, each reading what the other wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sure.data import ark
from sure.errors import SureError


def use(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    ark.library.cache_clear()
    monkeypatch.setitem(sys.modules, "kaldiio", None) if library == "omniio" else None
    assert ark.library().__name__.startswith(library)


@pytest.fixture(params=["kaldiio", "omniio"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    pytest.importorskip(request.param)
    use(monkeypatch, request.param)
    yield request.param
    ark.library.cache_clear()


ARRAYS = {
    "b": np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32),
    "a": np.random.default_rng(1).standard_normal((4, 2)),
    "vector": np.arange(5, dtype=np.float32),
    "integers": np.arange(-3, 4, dtype=np.int32),
    "名前": np.zeros((0, 3), np.float32),
}


def equal(found: np.ndarray, expected: np.ndarray) -> bool:
    return found.dtype == expected.dtype and np.array_equal(found, expected)


def test_what_is_written_is_read(library: str, here: Path) -> None:
    scp = ark.write_ark(here / "deep" / "x.ark", ARRAYS.items())
    index = ark.Scp(scp)
    assert sorted(index) == sorted(ARRAYS) == [line.split()[0] for line in scp.read_text().splitlines()]
    assert all(equal(index[id], array) for id, array in ARRAYS.items())
    assert not list(here.rglob("*.part"))


def test_an_archive_is_read_in_the_order_written(library: str, here: Path) -> None:
    ark.write_ark("x.ark", [(id, array) for id, array in ARRAYS.items() if id.isascii()])
    pairs = list(ark.read_ark("x.ark"))
    assert [id for id, _ in pairs] == ["b", "a", "vector", "integers"]
    assert all(equal(array, ARRAYS[id]) for id, array in pairs)


def test_ids_beyond_ascii_are_read_right_or_not_at_all(library: str, here: Path) -> None:
    ark.write_ark("x.ark", ARRAYS.items())
    if library == "kaldiio":
        assert [id for id, _ in ark.read_ark("x.ark")] == list(ARRAYS)
    else:
        with pytest.raises(SureError, match="read it by its scp"):
            list(ark.read_ark("x.ark"))


def test_one_library_reads_what_the_other_wrote(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("kaldiio")
    pytest.importorskip("omniio")
    use(monkeypatch, "kaldiio")
    ark.write_ark("kaldiio.ark", ARRAYS.items())
    use(monkeypatch, "omniio")
    ark.write_ark("omniio.ark", ARRAYS.items())
    assert all(equal(ark.Scp("kaldiio.scp")[id], array) for id, array in ARRAYS.items())
    monkeypatch.undo()
    monkeypatch.chdir(here)
    use(monkeypatch, "kaldiio")
    assert all(equal(ark.Scp("omniio.scp")[id], array) for id, array in ARRAYS.items())


def test_float16_is_widened_without_loss(library: str, here: Path) -> None:
    half = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float16)
    found = ark.Scp(ark.write_ark("x.ark", [("a", half)]))["a"]
    assert found.dtype == np.float32 and np.array_equal(found.astype(np.float16), half)


def test_audio_keeps_its_rate(library: str, here: Path) -> None:
    samples = np.arange(-500, 500, dtype=np.int16)
    rate, found = ark.Scp(ark.write_ark("x.ark", [("a", (8000, samples))]))["a"]
    assert rate == 8000 and np.array_equal(found, samples)


def test_a_failed_write_leaves_the_old_archive(library: str, here: Path) -> None:
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


def test_commands_are_not_run(library: str, here: Path) -> None:
    (here / "x.scp").write_text("a touch made |\n")
    with pytest.raises(SureError, match=r"x\.scp:1: .* is a command"):
        ark.Scp("x.scp")
    (here / "touch made |").write_bytes(b"")
    with pytest.raises(SureError, match="the archive .* does not exist"):
        list(ark.read_ark("touch made |"))
    assert not (here / "made").exists()


def test_damaged_archives_are_named(library: str, here: Path) -> None:
    scp = ark.write_ark("x.ark", [("a", np.ones((50, 3), np.float32))])
    (here / "x.ark").write_bytes((here / "x.ark").read_bytes()[:100])
    with pytest.raises(SureError, match=r"cannot read the archive entry .*x\.ark:\d+: "):
        ark.Scp(scp)["a"]
    with pytest.raises(SureError, match=r"cannot read the archive .*x\.ark: "):
        list(ark.read_ark("x.ark"))
    (here / "x.ark").unlink()
    with pytest.raises(SureError, match="expected an existing archive"):
        ark.Scp(scp)["a"]


def test_without_a_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    ark.library.cache_clear()
    for name in ark.LIBRARIES:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SureError, match="pip install"):
        ark.library()
    ark.library.cache_clear()
