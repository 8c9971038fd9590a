"""egs/speech_commands/prepare.py on miniatures of both releases and of the separate test sets."""

from collections import Counter
from pathlib import Path

import pytest
import soundfile
from harness import Case, append, copy, edit, move, remove, table, write
from speech_commands import SURE, V001, V002, make_test_set, make_words

RECIPE = "speech_commands"
SUPERB = {"labels": "superb"}
V2, TEST_SET = "speech_commands_v0.02", "speech_commands_test_set_v0.02"
LISTS = {"dev": f"{V2}/validation_list.txt", "test": f"{V2}/testing_list.txt"}


def build(top):
    """As stage 1 leaves it, after both releases."""
    for release in ("v0.01", "v0.02"):
        make_words(top / f"speech_commands_{release}", release)
        make_test_set(top / f"speech_commands_test_set_{release}", release)


def labels(result):
    return {name: Counter(one.labels["label"] for one in found.values()) for name, found in result.sets.items()}


def test_the_eleven_words_of_sure(prepared):
    result = prepared()
    each = Counter(SURE)
    assert labels(result) == {"train": each + each, "dev": each, "test": each}
    assert result.ids["train"][:2] == ["0a7c2a8d-down-0", "0a7c2a8d-down-1"]
    assert result.ids["dev"][0] == "1b4c9b89-down-0" and result.ids["test"][0] == "c50f55b8-down-0"
    assert result.of("speaker") == {id: id[:8] for id in result.of("set")}
    assert result.reasons == {"clips of words that are not among the labels": 16, "background noises": 3}
    assert "train: 22, published for the full corpus: 33724" in result.printed


@pytest.mark.parametrize("release, words", [("v0.01", V001), ("v0.02", V002)])
def test_every_word(prepared, release, words):
    assert labels(prepared(labels="all", release=release))["train"].keys() == set(words)


def test_superb_has_unknown_and_silence(prepared):
    result = prepared(**SUPERB)
    words = Counter(set(SURE) - {"four"})
    assert labels(result) == {
        "train": words + words + Counter(_unknown_=10, _silence_=5),
        "dev": words + Counter(_unknown_=5, _silence_=2),
        "test": words + Counter(_unknown_=5, _silence_=2),
    }
    test = result.sets["test"]
    assert test["c50f55b8-backward-0"].speaker == "c50f55b8" and test["noise-0"].speaker == "noise"
    assert all(TEST_SET in one.audio for one in test.values())
    assert result.reasons == {"clips of testing_list.txt, as SUPERB has another test set": 15}


def test_noises_are_cut_into_seconds(prepared):
    silence = [(name, one) for name, found in prepared(**SUPERB).sets.items() for one in found.values()
               if one.speaker == "noise" and name != "test"]  # fmt: skip
    assert {(name, Path(one.audio).stem, one.start, one.end) for name, one in silence} == {  # of 2.1, 2.0 and 1.7 s
        ("train", "doing_the_dishes", 0.0, 1.0), ("train", "doing_the_dishes", 0.5, 1.5),
        ("train", "doing_the_dishes", 1.0, 2.0), ("train", "white_noise", 0.0, 1.0), ("train", "white_noise", 0.5, 1.5),
        ("dev", "running_tap", 0.0, 1.0), ("dev", "running_tap", 0.5, 1.5),
    }  # fmt: skip


def test_pieces_of_the_full_noises_are_as_many_as_published(recipe, tmp_path):
    """Samples of the six files, and how many pieces of the train and dev sets TensorFlow Datasets makes of them."""
    counts = {}
    for name, samples in {
        "doing_the_dishes": 1522930, "dude_miaowing": 988891, "exercise_bike": 980062,
        "pink_noise": 960000, "running_tap": 978488, "white_noise": 960000,
    }.items():  # fmt: skip
        soundfile.write(tmp_path / f"{name}.wav", [0.0] * samples, 16000)
        counts[name] = len(recipe.parts["pieces"](tmp_path / f"{name}.wav"))
    assert counts.pop("running_tap") == 10102 - 9981
    assert sum(counts.values()) == 85511 - 84843


def as_kaggle(corpus):
    """The words in a folder of their own."""
    for folder in [path for path in (corpus / V2).iterdir() if path.is_dir()]:
        move(f"{V2}/{folder.name}", f"{V2}/audio/{folder.name}")(corpus)


@table({  # change, folder given, labels
    **{f"the words, {name}": ([], V2, name) for name in ("sure", "superb")},  # the test set is in the next folder
    "a link": (lambda corpus: [(corpus / "linked").mkdir(), (corpus / "linked" / V2).symlink_to(corpus / V2)],
               "linked", "sure"),
    "two folders": (move(V2, "new/SpeechCommands/words"), "new", "sure"),
    "Kaggle's copy": (as_kaggle, "", "sure"),
    "Kaggle's copy, superb": (as_kaggle, "", "superb"),
    "Kaggle's copy, all": (as_kaggle, "", "all"),
})  # fmt: skip
def test_layouts(check, case):
    change, given, chosen = case
    check(change, given, labels=chosen)


def backslashes(content):
    lines = content.decode().splitlines()
    return b"\xef\xbb\xbf" + "".join(f".\\{line}\r\n".replace("/", "\\") for line in lines).encode()


YES, NOISE = f"{V2}/yes", f"{V2}/_background_noise_"
STRANGE = [f"{YES}/._0a7c2a8d_nohash_0.wav", f"{YES}/notes.txt"]


@table({
    "a missing clip": Case(remove(f"{YES}/1b4c9b89_nohash_0.wav"), gone="1b4c9b89-yes-0", left_out={
        "clips that a list has and the corpus has not": "yes/1b4c9b89_nohash_0.wav"}),
    "strange files": Case([write(name) for name in STRANGE], left_out={
        "files that are not named as clips, SPEAKER_nohash_NUMBER.wav": STRANGE}),
    "other line ends and slashes": Case([edit(name, backslashes) for name in LISTS.values()]),
    "a byte that is not UTF-8": Case([append(name, b"yes/\xff_nohash_0.wav\n") for name in [LISTS["dev"]]],
                                     left_out={"clips that a list has and the corpus has not": 1}),
    "files of macOS": Case(
        [write(f"{NOISE}/._running_tap.wav"), write(f"{TEST_SET}/_silence_/._0.wav")], SUPERB, left_out={
            "files of the test set without a label": f"{TEST_SET}/_silence_/._0.wav"}),
    "a short noise": Case(lambda corpus: soundfile.write(corpus / NOISE / "short.wav", [0.0] * 15000, 16000), SUPERB,
                          left_out={"noises shorter than a second": f"{NOISE}/short.wav"}),
    "a clip in both lists": Case(
        append(LISTS["test"], "yes/1b4c9b89_nohash_0.wav\n"),
        error="testing_list.txt, line 16: yes/1b4c9b89_nohash_0.wav is also in validation_list.txt"),
    "a damaged noise": Case(write(f"{NOISE}/white_noise.wav", "no audio"), SUPERB, error="white_noise.wav: not an au"),
    "no noises": Case(remove(NOISE), SUPERB, error="_background_noise_: no noises"),
    "no folder of a word": Case(remove(f"{V2}/four"), error="no folder for the words four"),
    "no list": Case(remove(LISTS["test"]), error="not found.*validation_list.txt and testing_list.txt"),
    "no test set": Case(remove(TEST_SET), SUPERB, error=f"not found: {TEST_SET}/.*sources.yaml"),
    "the other release": Case(move("speech_commands_v0.01", "old/words"), given="old",
                              error="not found: speech_commands_v0.02/.*old/words is for --release v0.01"),
    "two copies": Case([move(V2, "new/words"), copy("new/words", "new/again")], given="new",
                       error="more than one copy.*again or .*words"),
    "too far below": Case(move(V2, "a/b/c/words"), given="a/..", error="not found: speech_commands_v0.02/"),
})  # fmt: skip
def test_a_change(check, case):
    check(case)


def test_the_release_is_read_from_the_folder_or_its_readme(corpus, prepared):
    move("speech_commands_v0.01", "old/words")(corpus)
    expected = prepared(labels="all", release="v0.01").ids
    assert prepared(corpus / "old", labels="all", release="v0.01").ids == expected
    remove("old/words/README.md")(corpus)
    assert prepared(corpus / "old", labels="all").ids == expected  # it may be v0.02
    assert prepared(corpus, labels="all").ids != expected
