"""egs/vctk: microphones, both releases, damaged copies, other layouts, trials."""

import pytest
from harness import EGS, SETS, Case, Layout, below, changes, copy, move, remove, rename, write
from vctk import OLD

from sure.errors import SureError
from sure.stages.trials import add_trials

RECIPE = "vctk"
MIC2, TTS = {"mic": "mic2"}, {"task": "tts"}
AUDIO = "wav48_silence_trimmed"
P225 = f"{AUDIO}/p225"
NINE = dict.fromkeys(("p225_009", "p225_010"), "train")  # nine utterances have no tenth
OTHERS = [f"{P225}/{name}" for name in ("._p225_1.flac", "p226_009_mic1.flac", "notes.txt")]
test_changes = changes({
    "no recording by a microphone": Case(remove(f"{P225}/p225_003_mic2.flac"), MIC2, gone="p225_003", sets=NINE,
                                         left_out={"utterances without a recording by mic2": "p225_003"}),
    "but by the other": Case(remove(f"{P225}/p225_003_mic2.flac")),
    "no text": Case(remove("txt/p225/p225_002.txt"), TTS, gone="p225_002", sets=NINE,
                    left_out={"utterances without a text": "p225_002"}),
    "an empty text": Case(write("txt/p226/p226_001.txt", " \n"), TTS, gone="p226_001",
                          left_out={"utterances without a text": "p226_001"}),
    "no text, but a speaker": Case(remove("txt/p225/p225_002.txt")),
    "other files": Case([write(name) for name in OTHERS], left_out={
        "files that are not named as recordings, SPEAKER_NUMBER.wav or .flac": OTHERS}),
    "two formats": Case(copy(f"{P225}/p225_001_mic1.flac", f"{P225}/p225_001_mic1.wav"),
                        left_out={"second copies of a recording": f"{P225}/p225_001_mic1.wav"},
                        audio={"p225_001": "p225_001_mic1.flac"}),
    "two copies": Case(copy(AUDIO, "copy/wav48"), error=f"more than one copy.*copy/wav48 or .*{AUDIO}"),
    "no recordings": Case(remove(AUDIO), error="not found: recordings of VCTK.*p225_001_mic1.flac.*0.80"),
    "the audio": Layout((), AUDIO),
    "above": Layout((), ".."),
    "two above": Layout((), "../.."),
    "three above": Layout(move("", "../../x/y/z"), "../../x"),
    "four above": Case(move("", "../a/b/c/d"), given="..", error="not found: recordings of VCTK"),
    "upper case": Layout(rename(f"{AUDIO}/**/*", str.upper)),
})  # fmt: skip


def test_trials_of_the_test_set(prepared, tmp_path):
    prepared(task="verification")
    assert add_trials(tmp_path / "out 0" / "test") == "written, 4 target and 6 nontarget trials"  # 3 + 1, and 3 x 2


def test_release_080_has_one_microphone(recipe, tmp_path):
    with pytest.raises(SureError, match="the set train is empty"):
        recipe(below(recipe.corpus, f"../../{OLD}"), tmp_path, **MIC2)
    assert "utterances without a recording by mic2\tp225_001" in (tmp_path / "left_out.txt").read_text()


def test_the_lists_of_speakers():
    lists = {name: (EGS / RECIPE / "speakers" / f"{name}.txt").read_text().split() for name in SETS}
    assert {name: len(names) for name, names in lists.items()} == {"train": 74, "dev": 11, "test": 22}
    everybody = [speaker for names in lists.values() for speaker in names]
    assert len(set(everybody)) == 107 and not {"p280", "p315", "s5"} & set(everybody)
    assert all(names == sorted(names) for names in lists.values())
