"""egs/vctk: microphones, both releases, damaged copies, other layouts."""

from collections import Counter

from harness import EGS, Case, changes, copy, layout, move, remove, rename, write

from sure.corpus.selection import read_lists

MIC2, TTS = {"mic": "mic2"}, {"task": "tts"}
AUDIO = "wav48_silence_trimmed"
P225 = f"{AUDIO}/p225"
NINE = dict.fromkeys(("p225_009", "p225_010"), "train")  # nine utterances have no tenth
OTHERS = [f"{P225}/{name}" for name in ("._p225_1.flac", "notes.txt", "p226_009_mic1.flac")]
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
    "the audio": layout((), AUDIO),
    "two above": layout((), "../.."),
    "three above": layout(move("", "../../x/y/z"), "../../x"),
    "four above": Case(move("", "../a/b/c/d"), given="..", error="not found: recordings of VCTK"),
    "upper case": layout(rename(f"{AUDIO}/**/*", str.upper)),
})  # fmt: skip


def test_the_lists_of_speakers():
    set_of = read_lists(EGS / "vctk" / "speakers")
    assert Counter(set_of.values()) == {"train": 74, "dev": 11, "test": 22}
    assert not {"p280", "p315", "s5"} & set_of.keys()
