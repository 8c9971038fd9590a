"""Promises of egs/librispeech_100/prepare.py, on a miniature of the corpus in its layouts, quirks included."""

import shutil
from pathlib import Path

import miniature
import pytest

from sure.corpus.sources import read_sources
from sure.data.data_dir import read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "librispeech_100"
prepare = load_prepare(RECIPE / "prepare.py")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return miniature.make("librispeech_100", tmp_path_factory.mktemp("parent") / "downloads")


@pytest.fixture
def copy(corpus, tmp_path):
    """LibriSpeech/ alone, to be damaged."""
    return shutil.copytree(corpus / "LibriSpeech", tmp_path / "LibriSpeech")


def read(out, *names):
    return {name: {u.id: u for u in read_data_dir(out / name)} for name in names or ("train", "dev", "test")}


def tables(out):
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def left_out(out):
    return (out / "left_out.txt").read_text().splitlines()


def test_ids_texts_and_speakers(corpus, tmp_path, capsys):
    assert [folder.name for folder in prepare(corpus, tmp_path)] == ["train", "dev", "test"]
    sets = read(tmp_path)
    assert {name: len(found) for name, found in sets.items()} == {"train": 9, "dev": 3, "test": 3}
    one = sets["train"]["103-1241-0001"]
    assert (one.text, one.speaker) == ("A BIG DOG", "103")
    assert one.audio == str(corpus / "LibriSpeech/train-clean-100/103/1241/103-1241-0001.flac")
    assert list(sets["train"])[-1] == "19-198-0002" and list(sets["dev"])[0] == "1272-128104-0000"
    printed = capsys.readouterr().out
    assert "train: 9, published for the full corpus: 28539" in printed
    for folder in tmp_path.glob("*/wav.scp"):
        assert not validate_data_dir(folder.parent).removed


def test_what_has_no_partner_is_listed(corpus, tmp_path):
    prepare(corpus, tmp_path)
    assert left_out(tmp_path) == [
        "lines without a recording\t103-1240.trans.txt:4 103-1240-0008",
        "recordings without a line\ttrain-clean-100/103/1240/103-1240-0007.flac",
    ]


def test_test_other_is_a_second_test_set(corpus, tmp_path):
    prepare(corpus, tmp_path, test_other="true")
    assert read(tmp_path, "test_other")["test_other"].keys() == {f"1688-142285-000{i}" for i in range(3)}
    with pytest.raises(SureError, match="test_other=yes: expected true or false"):
        prepare(corpus, tmp_path, test_other="yes")


def test_every_layout_gives_the_same_texts(copy, tmp_path):
    prepare(copy.parent, tmp_path / "parent")
    prepare(copy, tmp_path / "folder")
    assert tables(tmp_path / "parent") == tables(tmp_path / "folder")
    apart = tmp_path / "apart"
    for subset in ("train-clean-100", "dev-clean", "test-clean"):
        shutil.move(copy / subset, apart / subset / "LibriSpeech" / subset)
    prepare(apart, tmp_path / "out")
    assert (tmp_path / "out/train/text").read_bytes() == (tmp_path / "folder/train/text").read_bytes()


def test_other_systems_leave_traces_that_do_not_matter(copy, tmp_path):
    prepare(copy, tmp_path / "before")
    chapter = copy / "dev-clean/1272/128104"
    transcript = chapter / "1272-128104.trans.txt"
    transcript.write_bytes(b"\xef\xbb\xbf" + transcript.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    (chapter / "._1272-128104-0000.flac").write_bytes(b"\0")
    (chapter / "._1272-128104.trans.txt").write_bytes(b"\xff\xfe")
    (copy / "dev-clean/1272/.DS_Store").touch()
    prepare(copy, tmp_path / "after")
    assert tables(tmp_path / "before") == tables(tmp_path / "after")


def test_audio_that_was_converted_is_taken(copy, tmp_path):
    chapter = copy / "dev-clean/1272/128104"
    (chapter / "1272-128104-0000.flac").rename(chapter / "1272-128104-0000.wav")
    shutil.copy(chapter / "1272-128104-0001.flac", chapter / "1272-128104-0001.wav")
    prepare(copy, tmp_path)
    found = read(tmp_path)["dev"]
    assert len(found) == 3 and found["1272-128104-0000"].audio.endswith(".wav")
    assert found["1272-128104-0001"].audio.endswith(".flac")


def test_damaged_transcripts(copy, tmp_path):
    chapter = copy / "train-clean-100/103/1241"
    transcript = chapter / "103-1241.trans.txt"
    transcript.write_text("103-1241-0000\n103-1241-0001 ONCE\n103-1241-0001 TWICE\n\n103-1241-0002 FINE\n")
    (copy / "train-clean-100/19/198/19-198.trans.txt").unlink()
    prepare(copy, tmp_path)
    found = read(tmp_path)["train"]
    assert found["103-1241-0001"].text == "ONCE" and len(found) == 5
    reasons = left_out(tmp_path)
    assert "lines without words\t103-1241.trans.txt:1 103-1241-0000" in reasons
    assert "second lines of a recording\t103-1241.trans.txt:3 103-1241-0001" in reasons
    assert sum(line.startswith("recordings without a line\ttrain-clean-100/19/198/") for line in reasons) == 3
    transcript.write_bytes(b"103-1241-0000 \xff\n")
    with pytest.raises(SureError, match="103-1241.trans.txt: cannot be read as UTF-8"):
        prepare(copy, tmp_path)


def test_a_missing_subset_is_described(copy, tmp_path):
    shutil.rmtree(copy / "dev-clean")
    with pytest.raises(SureError, match=r"no transcripts of dev-clean: looked for .*; unpack dev-clean.tar.gz"):
        prepare(copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_sources_have_sums_and_mirrors():
    items = read_sources(RECIPE / "sources.yaml").items
    subsets = ["train-clean-100", "dev-clean", "test-clean", "test-other"]
    names = [f"{subset}.tar.gz" for subset in subsets] + ["librispeech-lexicon.txt"]
    assert [item.file_name for item in items] == names
    for item in items:
        assert item.sha256 and len({url.rpartition("/")[2] for url in item.urls}) == 1 and len(item.urls) == 4
