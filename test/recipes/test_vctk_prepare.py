"""egs/vctk/prepare.py on miniatures of both releases."""

import pytest
import vctk
from harness import EGS, SETS, Case, copy, move, remove, rename, table, write

from sure.stages.trials import add_trials

RECIPE, ROOT = "vctk", "DS_10283_3443/VCTK-Corpus-0.92"
MIC2 = {"mic": "mic2"}
AUDIO = "wav48_silence_trimmed"
NO_SPEAKER = "recordings of speakers that no list in speakers/ has"
NO_RECORDING = "files that are not named as recordings, SPEAKER_NUMBER.wav or .flac"


def build(folder):
    vctk.make_092(folder / ROOT)


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    return vctk.make_080(tmp_path_factory.mktemp("0.80") / "VCTK-Corpus")


def test_of_every_speaker_the_last_tenths_are_dev_and_test(prepared):
    result = prepared()
    ids = [id for id in result.ids["train"] if id[:4] in ("p225", "p230")]
    assert ids == [f"p225_{k:03}" for k in range(1, 9)] + [f"p230_{k:03}" for k in (1, 2, 3, 5, 6, 7, 8, 9)]
    assert result.ids["dev"] == ["p225_009", "p230_010"] and result.ids["test"] == ["p225_010", "p230_011"]
    assert "p226_003" in result.ids["train"]  # three utterances have no tenth
    assert result.of("label") == result.of("speaker") == {id: id[:4] for id in result.of("set")}
    microphones = {"p280": [1], "p315": [1], "s5": [1, 2]}
    assert result.left_out == [
        (NO_SPEAKER, f"{AUDIO}/{speaker}/{speaker}_00{number}_mic{mic}.flac")
        for speaker, mics in microphones.items() for number in (1, 2) for mic in mics
    ]  # fmt: skip
    assert "published" not in result.printed  # SURE's counts are of release 0.80


def test_no_speaker_of_verification_is_in_two_sets(prepared, tmp_path):
    result = prepared(task="verification")
    assert result.values("speaker") == {"train": {"p225", "p230"}, "dev": {"p228", "p239"}, "test": {"p226", "p231"}}
    assert set(result.of("label").values()) == {None}
    assert add_trials(tmp_path / "out 0" / "test") == "written, 4 target and 6 nontarget trials"  # 3 + 1, and 3 x 2


def test_transcripts_of_the_same_utterances(prepared):
    result = prepared(task="tts")
    assert result.of("set") == prepared().of("set")
    one = result.sets["train"]["p225_004"]
    assert (one.text, one.speaker, one.labels) == ("a 4 e", "p225", {})


def test_the_microphone_is_chosen(prepared):
    results = {mic: prepared(mic=mic) for mic in ("mic1", "mic2")}
    assert results["mic1"].of("set") == results["mic2"].of("set")
    for mic, result in results.items():
        assert all(audio.endswith(f"/{id}_{mic}.flac") for id, audio in result.of("audio").items())


def test_both_releases_give_the_same_utterances(prepared, old):
    result = prepared(old)
    assert result.of("set") == prepared().of("set")
    assert "train: 26, published for the full corpus: 35024" in result.printed
    assert (NO_RECORDING, "wav48/p225/p225_011.raw") in result.left_out
    assert "published" not in prepared(old, task="tts").printed


def test_release_080_has_one_microphone(recipe, old, tmp_path):
    with pytest.raises(Exception, match="the set train is empty"):
        recipe(old, tmp_path, **MIC2)
    assert "utterances without a recording by mic2\tp225_001" in (tmp_path / "left_out.txt").read_text()


P225 = f"{AUDIO}/p225"
NINE = dict.fromkeys(("p225_009", "p225_010"), "train")  # nine utterances have no tenth


@table({
    "no recording by a microphone": Case(remove(f"{P225}/p225_003_mic2.flac"), MIC2, gone="p225_003", sets=NINE,
                                         left_out={"utterances without a recording by mic2": "p225_003"}),
    "but by the other": Case(remove(f"{P225}/p225_003_mic2.flac")),
    "no text": Case(remove("txt/p225/p225_002.txt"), {"task": "tts"}, gone="p225_002", sets=NINE,
                    left_out={"utterances without a text": "p225_002"}),
    "an empty text": Case(write("txt/p226/p226_001.txt", " \n"), {"task": "tts"}, gone="p226_001",
                          left_out={"utterances without a text": "p226_001"}),
    "no text, but a speaker": Case(remove("txt/p225/p225_002.txt")),
    "other files": Case([write(f"{P225}/{name}") for name in ("._p225_1.flac", "p226_009_mic1.flac", "notes.txt")],
                        left_out={NO_RECORDING: [f"{P225}/{name}" for name in
                                                 ("._p225_1.flac", "p226_009_mic1.flac", "notes.txt")]}),
    "two formats": Case(copy(f"{P225}/p225_001_mic1.flac", f"{P225}/p225_001_mic1.wav"),
                        left_out={"second copies of a recording": f"{P225}/p225_001_mic1.wav"},
                        audio={"p225_001": "p225_001_mic1.flac"}),
    "two copies": Case([copy(AUDIO, "copy/wav48")], error=f"more than one copy.*copy/wav48 or .*{AUDIO}"),
    "no recordings": Case(remove(AUDIO), error="not found: recordings of VCTK.*p225_001_mic1.flac.*0.80"),
})  # fmt: skip
def test_a_change(check, case):
    check(case)


@table({"the audio": ([], AUDIO), "above": ([], ".."), "two above": ([], "../.."),
        "three above": (move("", "../../x/y/z"), "../../x"),
        "upper case": (rename(f"{AUDIO}/**/*", str.upper), "")})  # fmt: skip
def test_layouts(check, case):
    check(*case)


def test_four_folders_above_is_too_far(check):
    check(Case(move("", "../a/b/c/d"), given="..", error="not found: recordings of VCTK"))


def test_the_lists_of_speakers():
    lists = {name: (EGS / RECIPE / "speakers" / f"{name}.txt").read_text().split() for name in SETS}
    assert {name: len(names) for name, names in lists.items()} == {"train": 74, "dev": 11, "test": 22}
    everybody = [speaker for names in lists.values() for speaker in names]
    assert len(set(everybody)) == 107 and not {"p280", "p315", "s5"} & set(everybody)
    assert all(names == sorted(names) for names in lists.values())
