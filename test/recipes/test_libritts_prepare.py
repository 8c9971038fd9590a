"""Promises of egs/libritts/prepare.py, on a miniature of the corpus."""

from __future__ import annotations

from pathlib import Path

import libritts
import pytest

from sure.corpus.sources import read_sources
from sure.data.data_dir import read_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "libritts"
prepare = load_prepare(RECIPE / "prepare.py")
SETS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    return libritts.make_tree(tmp_path_factory.mktemp("libritts")).parent


def read(out: Path) -> dict[str, dict[str, tuple[str, str]]]:
    return {name: {one.id: (one.speaker, one.text) for one in read_data_dir(out / name)} for name in SETS}


@pytest.mark.parametrize("below", ["", "LibriTTS", "LibriTTS/train-clean-100"])
def test_each_reader_in_each_set(corpus, tmp_path, below):
    prepare(corpus / below, tmp_path)
    sets = read(tmp_path)
    assert sets["train"]["103_1031_000000_000001"] == ("103", "It is I, two of us.")
    assert sets["dev"].keys() == {"103_1031_000002_000008", "19_191_000002_000008"}
    assert sets["test"].keys() == {"103_1031_000002_000009", "19_191_000002_000009"}
    left_out = (tmp_path / "left_out.txt").read_text()
    assert "recordings without a text\t26/261/26_261_000000_000002.wav" in left_out and "19_191.pcm" in left_out


def test_no_reader_in_two_sets(tmp_path, monkeypatch):
    monkeypatch.setattr(libritts, "READERS", {str(reader): 1 for reader in range(20)})
    libritts.make_tree(tmp_path / "corpus")
    prepare(tmp_path / "corpus", tmp_path / "out", split="speaker")
    sets = {name: {speaker for speaker, _ in rows.values()} for name, rows in read(tmp_path / "out").items()}
    assert [len(sets[name]) for name in SETS] == [16, 2, 2] and len(set.union(*sets.values())) == 20


def test_a_recording_in_two_formats_is_taken_once(tmp_path):
    corpus = libritts.make_tree(tmp_path / "corpus")
    wav = next(corpus.rglob("103_1031_000000_000001.*wav"))
    wav.with_suffix(".flac").write_bytes(wav.read_bytes())
    prepare(tmp_path / "corpus", tmp_path / "out")
    assert "103_1031_000000_000001" in read(tmp_path / "out")["train"]
    line = "recordings that are there twice\t103/1031/103_1031_000000_000001.wav\n"
    assert line in (tmp_path / "out" / "left_out.txt").read_text()


def test_the_size_is_known_before_the_download():
    (item,) = read_sources(RECIPE / "sources.yaml").items
    assert item.sha256 and item.bytes


def test_what_is_not_there(tmp_path):
    with pytest.raises(SureError, match="no recordings of LibriTTS"):
        prepare(tmp_path, tmp_path / "out")
    with pytest.raises(SureError, match="split=x"):
        prepare(tmp_path, tmp_path / "out", split="x")
