"""Promises of egs/speech_commands/prepare.py, on miniatures of both releases and of the separate test sets."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
import soundfile
from speech_commands import SURE, V001, V002, make_test_set, make_words

from sure.corpus.sources import read_sources
from sure.data.data_dir import read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "speech_commands"
SETS = ("train", "dev", "test")
prepare = load_prepare(RECIPE / "prepare.py")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """As stage 1 leaves it, after both releases."""
    top = tmp_path_factory.mktemp("corpus")
    for release in ("v0.01", "v0.02"):
        make_words(top / f"speech_commands_{release}", release)
        make_test_set(top / f"speech_commands_test_set_{release}", release)
    return top


@pytest.fixture
def copy(corpus, tmp_path):
    """A copy of the words of v0.02 to change."""
    return shutil.copytree(corpus / "speech_commands_v0.02", tmp_path / "speech_commands_v0.02")


def labels(out: Path) -> dict[str, Counter]:
    return {name: Counter(one.labels["label"] for one in read_data_dir(out / name)) for name in SETS}


def ids(out: Path) -> dict[str, list[str]]:
    return {name: [one.id for one in read_data_dir(out / name)] for name in SETS}


def left_out(out: Path) -> list[list[str]]:
    return [line.split("\t") for line in (out / "left_out.txt").read_text().splitlines()]


def test_the_eleven_words_of_sure(corpus, tmp_path, capsys):
    prepare(corpus, tmp_path)
    each = dict.fromkeys(SURE, 1)
    assert labels(tmp_path) == {"train": Counter(each) + Counter(each), "dev": each, "test": each}
    found = ids(tmp_path)
    assert found["train"][:2] == ["0a7c2a8d-down-0", "0a7c2a8d-down-1"]
    assert found["dev"][0] == "1b4c9b89-down-0" and found["test"][0] == "c50f55b8-down-0"
    assert all(one.id.startswith(one.speaker + "-") for one in read_data_dir(tmp_path / "dev"))
    reasons = Counter(reason for reason, _ in left_out(tmp_path))
    assert reasons == {"clips of words that are not among the labels": 16, "background noises": 3}
    assert "train: 22, published for the full corpus: 33724" in capsys.readouterr().out


def test_every_word(corpus, tmp_path):
    prepare(corpus, tmp_path / "2", labels="all")
    assert set(labels(tmp_path / "2")["train"]) == set(V002)
    prepare(corpus, tmp_path / "1", labels="all", release="v0.01")
    assert set(labels(tmp_path / "1")["train"]) == set(V001)


def test_superb_has_unknown_and_silence(corpus, tmp_path):
    prepare(corpus, tmp_path, labels="superb")
    keywords = dict.fromkeys(set(SURE) - {"four"}, 1)
    assert labels(tmp_path) == {
        "train": Counter(keywords) + Counter(keywords) + Counter(_unknown_=10, _silence_=5),
        "dev": Counter(keywords) + Counter(_unknown_=5, _silence_=2),
        "test": Counter(keywords) + Counter(_unknown_=5, _silence_=2),
    }
    test = {one.id: one for one in read_data_dir(tmp_path / "test")}
    assert test["c50f55b8-backward-0"].speaker == "c50f55b8"
    assert all("speech_commands_test_set_v0.02" in one.audio for one in test.values())
    assert not [one for one in left_out(tmp_path) if not one[0].startswith("clips of testing_list.txt")]
    for name in SETS:
        assert not validate_data_dir(tmp_path / name, on_bad_utterance="stop").removed


def test_noises_are_cut_into_seconds(corpus, tmp_path):
    prepare(corpus, tmp_path, labels="superb")
    silence = [one for name in ("train", "dev") for one in read_data_dir(tmp_path / name) if one.speaker == "noise"]
    cuts = {(Path(one.audio).stem, one.start, one.end) for one in silence}
    assert cuts == {  # of 2.1, 2.0 and 1.7 seconds
        ("doing_the_dishes", 0.0, 1.0), ("doing_the_dishes", 0.5, 1.5), ("doing_the_dishes", 1.0, 2.0),
        ("white_noise", 0.0, 1.0), ("white_noise", 0.5, 1.5),
        ("running_tap", 0.0, 1.0), ("running_tap", 0.5, 1.5),
    }  # fmt: skip
    assert {one.id for one in silence if "running_tap" in one.audio} <= set(ids(tmp_path)["dev"])


def test_pieces_of_the_full_noises_are_as_many_as_published(tmp_path):
    """Samples of the six files, and how many pieces of the train and dev sets TensorFlow Datasets makes of them."""
    pieces = prepare.__globals__["pieces"]
    counts = {}
    for name, samples in {
        "doing_the_dishes": 1522930, "dude_miaowing": 988891, "exercise_bike": 980062,
        "pink_noise": 960000, "running_tap": 978488, "white_noise": 960000,
    }.items():  # fmt: skip
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, [0.0] * samples, 16000)
        counts[name] = len(pieces(path))
    assert counts.pop("running_tap") == 10102 - 9981
    assert sum(counts.values()) == 85511 - 84843


def test_the_folder_may_be_above_or_the_one_of_the_words(corpus, tmp_path):
    linked = tmp_path / "linked" / "SpeechCommands"
    linked.mkdir(parents=True)
    (linked / "speech_commands_v0.02").symlink_to(corpus / "speech_commands_v0.02")
    places = [corpus, corpus / "speech_commands_v0.02", linked, linked.parent]
    for number, place in enumerate(places):
        prepare(place, tmp_path / str(number))
        assert ids(tmp_path / str(number)) == ids(tmp_path / "0")
    prepare(places[1], tmp_path / "beside", labels="superb")  # its test set is beside it
    with pytest.raises(SureError, match="not found: speech_commands_test_set_v0.02/.*sources.yaml"):
        prepare(linked, tmp_path / "out", labels="superb")


def test_the_copy_of_kaggle_has_the_words_in_a_folder_of_their_own(corpus, copy, tmp_path):
    (copy / "audio").mkdir()
    for folder in [path for path in copy.iterdir() if path.is_dir() and path.name != "audio"]:
        folder.rename(copy / "audio" / folder.name)
    shutil.copytree(corpus / "speech_commands_test_set_v0.02", tmp_path / "speech_commands_test_set_v0.02")
    for chosen in ("sure", "superb", "all"):
        prepare(copy, tmp_path / "kaggle" / chosen, labels=chosen)
        prepare(corpus, tmp_path / "published" / chosen, labels=chosen)
        assert ids(tmp_path / "kaggle" / chosen) == ids(tmp_path / "published" / chosen)


def test_the_release_is_what_the_folder_or_its_readme_says(corpus, tmp_path):
    for name, top in (("v0.01", "old"), ("v0.02", "new")):
        shutil.copytree(corpus / f"speech_commands_{name}", tmp_path / top / "words")
    with pytest.raises(SureError, match="not found: speech_commands_v0.02/.*old/words is for --release v0.01"):
        prepare(tmp_path / "old", tmp_path / "out")
    prepare(tmp_path / "old", tmp_path / "out", release="v0.01")
    (tmp_path / "old" / "words" / "README.md").unlink()
    prepare(tmp_path / "old", tmp_path / "out")  # nothing says that it is not
    shutil.copytree(tmp_path / "new" / "words", tmp_path / "new" / "again")
    with pytest.raises(SureError, match="more than one copy of v0.02.*again.*words"):
        prepare(tmp_path / "new", tmp_path / "out")


def test_what_macos_adds_is_no_silence(corpus, copy, tmp_path):
    test_set = shutil.copytree(corpus / "speech_commands_test_set_v0.02", tmp_path / "speech_commands_test_set_v0.02")
    (copy / "_background_noise_" / "._running_tap.wav").touch()
    (test_set / "_silence_" / "._0.wav").touch()
    prepare(copy, tmp_path / "out", labels="superb")
    assert [labels(tmp_path / "out")[name]["_silence_"] for name in SETS] == [5, 2, 2]
    assert [item for reason, item in left_out(tmp_path / "out") if "belong to no label" in reason] == [
        str(test_set / "_silence_" / "._0.wav")
    ]


def test_lists_with_other_line_ends_and_slashes(corpus, copy, tmp_path):
    for name in ("validation_list.txt", "testing_list.txt"):
        lines = (copy / name).read_text().splitlines()
        text = "".join(f".\\{line}\r\n".replace("/", "\\") for line in lines)
        (copy / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
    prepare(copy, tmp_path / "changed")
    prepare(corpus, tmp_path / "as_is")
    assert ids(tmp_path / "changed") == ids(tmp_path / "as_is")


def test_a_list_with_a_byte_that_is_not_utf8(corpus, copy, tmp_path):
    for name in ("validation_list.txt", "testing_list.txt"):
        (copy / name).write_bytes((copy / name).read_bytes() + f"yes/{name}".encode() + b"\xff_nohash_0.wav\n")
    prepare(copy, tmp_path / "changed")
    prepare(corpus, tmp_path / "as_is")
    assert ids(tmp_path / "changed") == ids(tmp_path / "as_is")
    missing = "clips that a list has and the corpus has not"
    assert sum(reason == missing for reason, _ in left_out(tmp_path / "changed")) == 2


def test_what_is_missing_or_strange_is_listed(copy, tmp_path):
    (copy / "yes" / "1b4c9b89_nohash_0.wav").unlink()
    strange = [copy / "yes" / "._0a7c2a8d_nohash_0.wav", copy / "yes" / "notes.txt"]
    for path in strange:
        path.touch()
    prepare(copy, tmp_path / "out")
    lines = left_out(tmp_path / "out")
    assert ["clips that a list has and the corpus has not", "yes/1b4c9b89_nohash_0.wav"] in lines
    named = "files that are not named as clips, SPEAKER_nohash_NUMBER.wav"
    assert [item for reason, item in lines if reason == named] == sorted(map(str, strange))
    assert labels(tmp_path / "out")["train"]["yes"] == 2 and "yes" not in labels(tmp_path / "out")["dev"]


def test_a_clip_in_both_lists_is_refused(copy, tmp_path):
    with open(copy / "testing_list.txt", "a") as file:
        file.write("yes/1b4c9b89_nohash_0.wav\n")
    match = "testing_list.txt, line 16: yes/1b4c9b89_nohash_0.wav is also in validation_list.txt"
    with pytest.raises(SureError, match=match):
        prepare(copy, tmp_path / "out")


def test_missing_parts_are_named(corpus, copy, tmp_path):
    shutil.copytree(corpus / "speech_commands_test_set_v0.02", tmp_path / "speech_commands_test_set_v0.02")
    (copy / "_background_noise_" / "white_noise.wav").write_bytes(b"no audio")
    with pytest.raises(SureError, match="white_noise.wav: no audio file"):
        prepare(copy, tmp_path / "out", labels="superb")
    shutil.rmtree(copy / "_background_noise_")
    with pytest.raises(SureError, match="_background_noise_: no noises"):
        prepare(copy, tmp_path / "out", labels="superb")
    shutil.rmtree(copy / "four")
    with pytest.raises(SureError, match="no folder for the words four"):
        prepare(copy, tmp_path / "out")
    (copy / "testing_list.txt").unlink()
    with pytest.raises(SureError, match="not found.*validation_list.txt and testing_list.txt"):
        prepare(copy, tmp_path / "out")


@pytest.mark.parametrize("options", [{"labels": "35"}, {"release": "v0.03"}])
def test_unknown_options(corpus, tmp_path, options):
    with pytest.raises(SureError, match="the speech_commands recipe has"):
        prepare(corpus, tmp_path, **options)


@pytest.mark.parametrize("file", ["sources.yaml", "sources_v0.01.yaml"])
def test_sources(file):
    items = read_sources(RECIPE / file).items
    assert len({item.into for item in items}) == 2 and all(item.sha256 and item.bytes for item in items)
