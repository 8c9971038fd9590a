"""egs/timit/prepare.py on a miniature of the corpus, on damaged sentences, and on the copies that people have made."""

import shutil

import numpy as np
import soundfile
from harness import Case, move, remove, rename, table, write

from sure.data.audio import read_audio
from sure.data.validate import validate_data_dir

RECIPE, ROOT = "timit", "TIMIT"
OUTSIDE = "test speakers outside the core test and development lists"
IDS = {
    "train": "fcjf0_si1027 fcjf0_si648 fcjf0_sx37 fclt0_si808 fclt0_sx88 mmdm0_si681 mmdm0_sx51".split(),
    "dev": "faks0_si943 faks0_sx43 fdac1_si844".split(),
    "test": "mdab0_si1039 mdab0_sx49 mwbt0_si923".split(),
}
SENTENCE = "TRAIN/DR1/FCJF0/SX37"


def test_sets_speakers_and_phones(prepared):
    result = prepared()
    assert result.ids == IDS
    one = result.sets["train"]["fclt0_sx88"]
    assert one.speaker == "fclt0" and one.audio.endswith("TIMIT/TRAIN/DR8/FCLT0/SX88.WAV")
    assert one.text == "h# ae pau q ux ix kcl k kcl k pau jh ae w h#"
    assert "train: 7, published for the full corpus: 3696" in result.printed
    assert result.reasons == {"SA sentences, which every speaker reads": 16, OUTSIDE: 1}
    assert (OUTSIDE, "mstk0_si1024") in result.left_out


def damaged(content: bytes, reason: str) -> Case:
    return Case(write(f"{SENTENCE}.PHN", content), gone="fcjf0_sx37", left_out={"damaged .PHN files": reason})


EXPECTED = f"{SENTENCE}.PHN:2: expected `start end phone` with a phone of TIMIT, found "
CASES = {
    "no phones": Case(remove(f"{SENTENCE}.PHN"), gone="fcjf0_sx37",
                      left_out={"sentences without a .PHN file": "fcjf0_sx37"}),
    "an empty file": damaged(b"", f"{SENTENCE}.PHN: no phones"),
    "no number": damaged(b"0 10 h#\n10 xx sh\n", EXPECTED + "'10 xx sh'"),
    "no start": damaged(b"0 10 h#\nxx 10 sh\n", EXPECTED + "'xx 10 sh'"),
    "an unknown phone": damaged(b"0 10 h#\n10 20 AA1\n", EXPECTED + "'10 20 AA1'"),
    "two columns": damaged(b"0 10 h#\n10 20\n", EXPECTED + "'10 20'"),
    "not ASCII": Case(write(f"{SENTENCE}.PHN", b"0 10 \xff\n"), gone="fcjf0_sx37", left_out={"damaged .PHN files": 1}),
    "other writing": Case(write(f"{SENTENCE}.PHN", b"0 10 H#\r\n10\t20  AX-H\r\n\r\n20 30 h#"),
                          texts={"fcjf0_sx37": "h# ax-h h#"}),
    "no recording": Case(remove(f"{SENTENCE}.WAV"), gone="fcjf0_sx37",
                         left_out={"sentences without a recording": "fcjf0_sx37"}),
    "no test part": Case(remove("TEST"), error="the set dev is empty"),
    "no TIMIT": Case(given="DOC", error="DOC: no TIMIT found: looked for TRAIN/DR1/"),
}  # fmt: skip


@table(CASES)
def test_a_change(check, case):
    check(case)


def test_a_tree_that_is_there_twice_counts_once(corpus, prepared):
    expected = prepared(corpus)
    shutil.copytree(corpus, corpus / "COPY")
    result = prepared(corpus)
    assert result.ids == IDS
    assert all(audio.startswith(f"{corpus}/COPY/") for audio in result.of("audio").values())
    assert ("files that are there twice", f"{SENTENCE}.WAV") in result.left_out
    assert result.reasons - expected.reasons == {"files that are there twice": 90}


def riff(name):
    def change(corpus):
        for path in corpus.rglob("*.WAV"):
            samples, rate = soundfile.read(path, dtype="int16")
            soundfile.write(path.with_name(name.format(path.stem)), samples, rate, format="WAV")
            path.unlink()

    return change


LAYOUTS = {  # change, folder given
    "the folder itself": ([], ""),
    "above it": ([], ".."),
    "lower case": (rename("**/*", str.lower), ""),
    "lower case, also above": ([rename("**/*", str.lower), move("", "../timit")], ".."),
    "lower-case files": ([rename("**/*.WAV", str.lower), rename("**/*.PHN", str.lower)], ""),
    "two endings": (lambda corpus: [shutil.copy(path, f"{path}.wav") for path in corpus.rglob("*.WAV")], ""),
    "wav.wav": (riff("{}.WAV.wav"), ""),
    "riff": (riff("{}.RIFF.WAV"), ""),
    "deeper": (move("", "../a/data"), "../a"),
    "another name": (move("", "../data"), "../data"),
}


@table(LAYOUTS)
def test_every_copy_gives_the_same(check, tmp_path, case):
    check(*case)
    for folder in (tmp_path / "out").glob("*/wav.scp"):
        assert not validate_data_dir(folder.parent).removed


def test_a_sphere_header_is_read_whatever_the_file_is_called(corpus):
    content = (corpus / f"{SENTENCE}.WAV").read_bytes()
    assert content.startswith(b"NIST_1A")
    samples = np.frombuffer(content[1024:], "<i2") / 2**15
    np.testing.assert_array_equal(read_audio(corpus / f"{SENTENCE}.WAV").numpy(), samples)


def test_the_lists_of_speakers(recipe):
    core, development = recipe.parts["CORE_TEST"], recipe.parts["DEVELOPMENT"]
    assert len(set(core)) == 24 and sum(name.startswith("m") for name in core) == 16
    assert len(set(development)) == 50 and not set(core) & set(development)
    sentences = 8  # of each speaker, without the two SA
    assert recipe.parts["PUBLISHED"] == {"train": 462 * sentences, "dev": 50 * sentences, "test": 24 * sentences}
