"""Promises of egs/vctk/prepare.py, on miniatures of both releases."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from vctk import make_080, make_092

from sure.bin.trials import add_trials
from sure.corpus.sources import read_sources
from sure.data.data_dir import read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "vctk"
SETS = ("train", "dev", "test")
prepare = load_prepare(RECIPE / "prepare.py")


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    return make_092(tmp_path_factory.mktemp("0.92") / "DS_10283_3443" / "VCTK-Corpus-0.92")


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return make_080(tmp_path_factory.mktemp("0.80") / "VCTK-Corpus")


def ids(out: Path) -> dict[str, list[str]]:
    return {name: [utterance.id for utterance in read_data_dir(out / name)] for name in SETS}


def left_out(out: Path) -> list[str]:
    return (out / "left_out.txt").read_text().splitlines()


def test_of_every_speaker_the_last_tenths_are_dev_and_test(new, tmp_path):
    prepare(new, tmp_path)
    found = ids(tmp_path)
    assert [id for id in found["train"] if id.startswith("p225")] == [f"p225_{k:03}" for k in range(1, 9)]
    assert [id for id in found["train"] if id.startswith("p230")] == [f"p230_{k:03}" for k in (1, 2, 3, 5, 6, 7, 8, 9)]
    assert found["dev"] == ["p225_009", "p230_010"] and found["test"] == ["p225_010", "p230_011"]
    assert "p226_003" in found["train"]  # three utterances have no tenth
    for name in SETS:
        assert not validate_data_dir(tmp_path / name, on_bad_utterance="stop").removed
        for utterance in read_data_dir(tmp_path / name):
            assert utterance.labels == {"label": utterance.speaker} and utterance.id.startswith(utterance.speaker + "_")


def test_no_speaker_of_verification_is_in_two_sets(new, tmp_path):
    prepare(new, tmp_path, task="verification")
    speakers = {name: {utterance.speaker for utterance in read_data_dir(tmp_path / name)} for name in SETS}
    assert speakers == {"train": {"p225", "p230"}, "dev": {"p228", "p239"}, "test": {"p226", "p231"}}
    assert not any(utterance.labels for utterance in read_data_dir(tmp_path / "train"))
    assert add_trials(tmp_path / "test") == "made, 4 target and 6 nontarget trials"  # 3 + 1, and 3 x 2


def test_speakers_that_sure_leaves_out_are_listed(new, tmp_path):
    prepare(new, tmp_path)
    reason = "recordings of speakers that no list in speakers/ has"
    lines = [line.split("\t") for line in left_out(tmp_path)]
    assert [Path(item).name for given, item in lines if given == reason] == [
        "p280_001_mic1.flac", "p280_002_mic1.flac", "p315_001_mic1.flac", "p315_002_mic1.flac",
        "s5_001_mic1.flac", "s5_001_mic2.flac", "s5_002_mic1.flac", "s5_002_mic2.flac",
    ]  # fmt: skip
    assert len(lines) == 8


def test_what_is_read_goes_with_what_is_said(new, tmp_path):
    speakers, texts = tmp_path / "speakers", tmp_path / "texts"
    prepare(new, speakers)
    prepare(new, texts, task="tts")
    assert ids(speakers) == ids(texts)
    said = {one.id: one for name in SETS for one in read_data_dir(texts / name)}
    assert said["p225_004"].text == "a 4 e" and said["p225_004"].speaker == "p225" and not said["p225_004"].labels


def test_without_its_text_an_utterance_is_left_out(new, tmp_path):
    copy = shutil.copytree(new, tmp_path / "copy")
    (copy / "txt" / "p225" / "p225_002.txt").unlink()
    (copy / "txt" / "p226" / "p226_001.txt").write_text(" \n")
    prepare(copy, tmp_path / "out", task="tts")
    reason = "utterances without a text"
    assert [line for line in left_out(tmp_path / "out") if reason in line] == [
        f"{reason}\tp225_002", f"{reason}\tp226_001"
    ]  # fmt: skip


def test_the_microphone_is_chosen(new, tmp_path):
    prepare(new, tmp_path / "1")
    prepare(new, tmp_path / "2", mic="mic2")
    assert ids(tmp_path / "1") == ids(tmp_path / "2")
    for mic in "12":
        for utterance in read_data_dir(tmp_path / mic / "test"):
            assert Path(utterance.audio).name == f"{utterance.id}_mic{mic}.flac"


def test_an_utterance_without_this_microphone_is_left_out(new, tmp_path):
    corpus = shutil.copytree(new, tmp_path / "corpus")
    (corpus / "wav48_silence_trimmed" / "p225" / "p225_003_mic2.flac").unlink()
    prepare(corpus, tmp_path / "out", mic="mic2")
    assert "utterances without a recording by mic2\tp225_003" in left_out(tmp_path / "out")
    assert "p225_003" not in ids(tmp_path / "out")["train"]
    prepare(corpus, tmp_path / "out", mic="mic1")
    assert "p225_003" in ids(tmp_path / "out")["train"]


def test_both_releases_give_the_same_utterances(new, old, tmp_path, capsys):
    prepare(new, tmp_path / "new")
    assert "published" not in capsys.readouterr().out  # SURE's counts are of 0.80
    prepare(old, tmp_path / "old")
    assert "train: 26, published for the full corpus: 35024" in capsys.readouterr().out
    assert ids(tmp_path / "new") == ids(tmp_path / "old")
    assert any(line.endswith("p225_011.raw") for line in left_out(tmp_path / "old"))
    with pytest.raises(SureError, match="the set train is empty"):
        prepare(old, tmp_path / "mic2", mic="mic2")
    assert "utterances without a recording by mic2\tp225_001" in left_out(tmp_path / "mic2")


def test_the_folder_may_be_above_or_the_one_of_the_audio(new, tmp_path):
    places = [new, new / "wav48_silence_trimmed", new.parent, new.parent.parent]
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "VCTK").symlink_to(new)
    for number, corpus in enumerate([*places, linked]):
        prepare(corpus, tmp_path / str(number))
        assert ids(tmp_path / str(number)) == ids(tmp_path / "0")


def test_upper_case_names_give_the_same(old, tmp_path):
    for path in (old / "wav48").rglob("*.wav"):
        target = tmp_path / "WAV48" / path.parent.name.upper() / path.name.upper()
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    prepare(tmp_path, tmp_path / "upper")
    prepare(old, tmp_path / "lower")
    assert ids(tmp_path / "upper") == ids(tmp_path / "lower")


def test_files_that_are_no_recordings_are_listed(new, tmp_path):
    corpus = shutil.copytree(new, tmp_path / "corpus")
    folder = corpus / "wav48_silence_trimmed" / "p225"
    strange = [folder / "._p225_001_mic1.flac", folder / "p226_009_mic1.flac", folder / "notes.txt"]
    for path in strange:
        path.touch()
    shutil.copy(folder / "p225_001_mic1.flac", folder / "p225_001_mic1.wav")
    prepare(corpus, tmp_path / "out")
    reason = "files that are not named as recordings, SPEAKER_NUMBER.wav or .flac"
    assert {f"{reason}\t{path}" for path in strange} <= set(left_out(tmp_path / "out"))
    assert f"second copies of a recording\t{folder / 'p225_001_mic1.wav'}" in left_out(tmp_path / "out")
    assert len(ids(tmp_path / "out")["train"]) == 26


def test_two_copies_and_none_are_refused(new, old, tmp_path):
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "new").symlink_to(new)
    (tmp_path / "both" / "old").symlink_to(old)
    with pytest.raises(SureError, match="more than one copy.*new/wav48_silence_trimmed or .*old/wav48"):
        prepare(tmp_path / "both", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SureError, match="empty: no recordings of VCTK there.*p225_001_mic1.flac.*0.80"):
        prepare(tmp_path / "empty", tmp_path / "out")


@pytest.mark.parametrize(
    "options, message", [({"task": "asr"}, "speaker and verif"), ({"mic": "mic3"}, "mic1 and mic2")]
)
def test_unknown_options(new, tmp_path, options, message):
    with pytest.raises(SureError, match=message):
        prepare(new, tmp_path, **options)


def test_the_lists_of_speakers():
    lists = {name: (RECIPE / "speakers" / f"{name}.txt").read_text().split() for name in SETS}
    assert {name: len(names) for name, names in lists.items()} == {"train": 74, "dev": 11, "test": 22}
    everybody = [speaker for names in lists.values() for speaker in names]
    assert len(set(everybody)) == 107 and not {"p280", "p315", "s5"} & set(everybody)
    assert all(names == sorted(names) for names in lists.values())


def test_sources():
    (archive,) = read_sources(RECIPE / "sources.yaml").items
    assert archive.file_name == "VCTK-Corpus-0.92.zip" and archive.sha256 and archive.bytes
