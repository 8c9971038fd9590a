"""Ark archives through both libraries, each reading what the other wrote."""

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

    def choose(name):
        library = pytest.importorskip(name)
        monkeypatch.setattr(ark, "library", lambda: library)

    choose(request.param)
    return choose


def test_both_libraries_read_what_was_written(use, here):
    half, samples = np.linspace(0, 1, 20, dtype=np.float16).reshape(5, 4), np.arange(-500, 500, dtype=np.int16)
    values = {**ARRAYS, "half": half, "sound": (8000, samples)}
    scp = ark.write_ark(here / "deep" / "x.ark", values.items())
    assert not list(here.rglob("*.part"))
    assert sorted(values) == [line.split()[0] for line in scp.read_text().splitlines()]
    for reader in LIBRARIES:
        use(reader)
        index = ark.Scp(scp)
        assert sorted(index) == sorted(values) and len(index) == len(values)
        for id, array in {**ARRAYS, "half": half.astype(np.float32)}.items():
            assert index[id].dtype == array.dtype and np.array_equal(index[id], array)
        assert index["sound"][0] == 8000 and np.array_equal(index["sound"][1], samples)


def test_a_failed_write_leaves_the_old_archive(use, here):
    scp = ark.write_ark("x.ark", [("a", np.ones(3, np.float32))])
    for ids, array, message in (
        ("bb", np.ones(2, np.float32), "'b' is repeated"),
        (["b c"], np.ones(2, np.float32), "not one word"),
        ("b", np.ones((2, 2, 2), np.float32), "cannot store 'b'"),
        ("b", np.ones((2, 2), np.int32), "cannot store 'b'"),
    ):
        with pytest.raises(SureError, match=message):
            ark.write_ark("x.ark", [(id, array) for id in ids])
    assert list(ark.Scp(scp)) == ["a"] and np.array_equal(ark.Scp(scp)["a"], np.ones(3))


@pytest.mark.parametrize(("content", "message"), [
    ("a touch made |\n", "1: .* is a command"), ("a | touch made\n", "1: .* is a command"),
    ("a x.ark:2\n\na x.ark:2\n", "3: 'a' is repeated"), ("a\n", "1: 'a' has no archive"),
])  # fmt: skip
def test_faults_of_an_scp_are_named(here, content, message):
    (here / "x.scp").write_text(content)
    with pytest.raises(SureError, match=rf"x\.scp:{message}"):
        ark.Scp("x.scp")


def test_damaged_archives_are_named(use, here):
    index = ark.Scp(ark.write_ark("x.ark", [("a", np.ones((50, 3), np.float32))]))
    (here / "x.ark").write_bytes((here / "x.ark").read_bytes()[:100])
    with pytest.raises(SureError, match=r"cannot read the archive entry .*x\.ark:\d+: "):
        index["a"]
    (here / "x.ark").unlink()
    (here / "touch made |").write_bytes(b"")
    for place in (index.places["a"], "touch made |:0"):
        with pytest.raises(SureError, match="expected an existing archive"):
            ark.read_at(place)


def test_the_first_installed_library_is_used(monkeypatch):
    for name in LIBRARIES:
        assert ark.library.__wrapped__() is pytest.importorskip(name)  # without its cache
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SureError, match="pip install"):
        ark.library.__wrapped__()
