"""A few inputs by hypothesis for each reader of outside files; test/fuzz/run.py makes many, led by coverage."""

import contextlib
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from targets import SEEDS, TARGETS

from sure.errors import SureError

SPLICES = [b"", b"\0", b"\n", b" ", b"\t", b'"', b"{}", b"[", b"-1", b"1e999", b"nan", b"\xff", b"9" * 20, b"|"]


@st.composite
def damaged(draw: st.DrawFn, seed: bytes) -> bytes:
    """The seed with a few parts taken out, doubled or replaced."""
    content = seed
    for _ in range(draw(st.integers(0, 4))):
        first = draw(st.integers(0, len(content)))
        last = draw(st.integers(first, min(len(content), first + 40)))
        part = content[first:last]
        new = draw(st.one_of(st.sampled_from([*SPLICES, part + part, part[::-1]]), st.binary(max_size=8)))
        content = content[:first] + new + content[last:]
    return content


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_accepts_its_seeds_and_raises_one_kind_of_error_for_damaged_ones(name, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in SEEDS[name]:
        TARGETS[name](seed)

    @settings(max_examples=15, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=HealthCheck)
    @given(st.sampled_from(SEEDS[name]).flatmap(damaged))
    def look(content: bytes) -> None:
        with contextlib.suppress(SureError):
            TARGETS[name](content)

    look()
