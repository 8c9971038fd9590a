"""egs/speech_commands: noises, both releases, damaged files and other layouts."""

import soundfile
from harness import Case, append, changes, copy, edit, layout, move, remove, write

SUPERB, OLD = {"labels": "superb"}, {"labels": "all", "release": "v0.01"}
V1, V2, TEST_SET = "speech_commands_v0.01", "speech_commands_v0.02", "speech_commands_test_set_v0.02"
LISTS = {"dev": f"{V2}/validation_list.txt", "test": f"{V2}/testing_list.txt"}


def test_pieces_of_the_full_noises_are_as_many_as_published(recipe, tmp_path):
    """Samples of the six files, and how many pieces of the train and dev sets TensorFlow Datasets makes of them."""
    counts = {}
    samples = {"doing_the_dishes": 1522930, "dude_miaowing": 988891, "exercise_bike": 980062, "pink_noise": 960000,
               "running_tap": 978488, "white_noise": 960000}  # fmt: skip
    for name, count in samples.items():
        soundfile.write(tmp_path / f"{name}.wav", [0.0] * count, 16000)
        counts[name] = len(recipe.parts["pieces"](tmp_path / f"{name}.wav"))
    assert counts.pop("running_tap") == 10102 - 9981
    assert sum(counts.values()) == 85511 - 84843


def as_kaggle(corpus):
    """The words in a folder of their own."""
    for folder in [path for path in (corpus / V2).iterdir() if path.is_dir()]:
        move(f"{V2}/{folder.name}", f"{V2}/audio/{folder.name}")(corpus)


def backslashes(content):
    lines = content.decode().splitlines()
    return b"\xef\xbb\xbf" + "".join(f".\\{line}\r\n".replace("/", "\\") for line in lines).encode()


YES, NOISE = f"{V2}/yes", f"{V2}/_background_noise_"
STRANGE = [f"{YES}/._0a7c2a8d_nohash_0.wav", f"{YES}/notes.txt"]
test_changes = changes({
    "a missing clip": Case(remove(f"{YES}/1b4c9b89_nohash_0.wav"), gone="1b4c9b89-yes-0", left_out={
        "clips that a list has and the corpus has not": "yes/1b4c9b89_nohash_0.wav"}),
    "strange files": Case([write(name) for name in STRANGE], left_out={
        "files that are not named as clips, SPEAKER_nohash_NUMBER.wav": STRANGE}),
    "other line ends and slashes": Case([edit(name, backslashes) for name in LISTS.values()]),
    "a byte that is not UTF-8": Case(append(LISTS["dev"], b"yes/\xff_nohash_0.wav\n"),
                                     left_out={"clips that a list has and the corpus has not": 1}),
    "a file of macOS": Case(write(f"{TEST_SET}/_silence_/._0.wav"), SUPERB, left_out={
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
    "the other release": Case(move(V1, "old/words"), given="old",
                              error="not found: speech_commands_v0.02/.*old/words is for --release v0.01"),
    "two copies": Case([move(V2, "new/words"), copy("new/words", "new/again")], given="new",
                       error="more than one copy.*again or .*words"),
    "too far below": Case(move(V2, "a/b/c/words"), given="a/..", error="not found: speech_commands_v0.02/"),
    "the words": layout((), V2),
    "the words, superb": layout((), V2, SUPERB),  # the test set is in the next folder
    "two folders": layout(move(V2, "new/SpeechCommands/words"), "new"),
    "a release that the readme names": layout(move(V1, "old/words"), "old", OLD),
    **{f"Kaggle's copy, {labels}": layout(as_kaggle, "", {"labels": labels}) for labels in ("sure", "superb", "all")},
})  # fmt: skip


def test_a_folder_without_a_release_in_its_name_and_readme_may_be_any(recipe, corpus, prepared):
    move(V1, "old/words")(corpus)
    remove("old/words/README.md")(corpus)
    below, beside = (prepared(place, labels="all").ids for place in (corpus / "old", corpus))
    assert below == recipe.unchanged(**OLD).ids != beside
