"""Promises of egs/l2arctic/prepare.py, on a miniature of the corpus in its layouts, quirks included."""

import shutil
from pathlib import Path

import miniature
import pytest

from sure.corpus.sources import read_sources
from sure.data.data_dir import read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "l2arctic"
prepare = load_prepare(RECIPE / "prepare.py")
parts = prepare.__globals__
SPEAKERS = ["ABA", "SKA", "YDCK"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return miniature.make("l2arctic", tmp_path_factory.mktemp("parent") / "corpus")


@pytest.fixture
def copy(corpus, tmp_path):
    return shutil.copytree(corpus / "l2arctic_release_v5.0", tmp_path / "l2arctic_release_v5.0")


def read(out):
    return {name: {u.id: u for u in read_data_dir(out / name)} for name in ("train", "dev", "test")}


def texts(out):
    return {u.id: u.text for found in read(out).values() for u in found.values()}


def left_out(out):
    return (out / "left_out.txt").read_text()


def test_every_speaker_is_in_every_set(corpus, tmp_path, capsys):
    prepare(corpus, tmp_path)
    sets = read(tmp_path)
    assert {name: len(found) for name, found in sets.items()} == {"train": 30, "dev": 3, "test": 3}
    assert list(sets["dev"]) == [f"{speaker}_arctic_b0011" for speaker in SPEAKERS]
    assert list(sets["test"]) == [f"{speaker}_arctic_b0012" for speaker in SPEAKERS]
    one = sets["train"]["SKA_arctic_a0001"]
    assert (one.speaker, one.text) == ("SKA", "HH EH S AE IY D")
    assert one.audio == str(corpus / "l2arctic_release_v5.0/SKA/wav/arctic_a0001.wav")
    printed = capsys.readouterr().out
    assert "3 of 24 speakers: ABA SKA YDCK" in printed and "dev: 3, published for the full corpus: 2682" in printed
    suitcase = "folders of spontaneous speech, which is not aligned\tl2arctic_release_v5.0/suitcase_corpus\n"
    assert left_out(tmp_path) == suitcase and not any("aba.wav" in u.audio for u in sets["train"].values())
    for folder in tmp_path.glob("*/wav.scp"):
        assert not validate_data_dir(folder.parent).removed


def test_perceived_phones_are_what_annotators_heard(corpus, tmp_path):
    prepare(corpus, tmp_path, phones="perceived")
    found = texts(tmp_path)
    assert found["ABA_arctic_a0001"] == "EH S AE IY T AH"  # no HH, T for D, and AX added
    assert found["ABA_arctic_a0004"] == "W EH ERR OW"  # W*: foreign; G: err
    assert len(found) == 3 * 11 - 1
    reasons = left_out(tmp_path)
    assert "utterances without a TextGrid in annotation\tABA_arctic_a0002\n" in reasons
    assert "unusable TextGrids\t" in reasons and "YDCK/annotation/arctic_a0001.TextGrid: tier 'phones': " in reasons


def test_what_forced_alignment_says_of_unknown_words_and_silence(copy, tmp_path):
    grid = copy / "ABA/textgrid/arctic_a0001.TextGrid"
    grid.write_text(grid.read_text().replace('"S"', '"spn"').replace('"HH"', '"sil "'))
    prepare(copy, tmp_path / "out")
    assert texts(tmp_path / "out")["ABA_arctic_a0001"] == "EH AE IY D"


LABELS = {
    "AH": "AH", "AH0 ": "AH", "ax": "AH", "AO1,AO*,s": "AO", "ER,ER),s": "ER", "V,V``,s": "V", "sil,ah,a": "AH",
    "T, sil ,d": "", "CH,SP,d": "", "sp": "", "": "", "R,err,s": "ERR", "NG,N": "N",
}  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
def test_labels_of_annotators(label):
    assert parts["_phone"](Path("a.TextGrid"), parts["_perceived"](label)) == LABELS[label]


@pytest.mark.parametrize("label", ["ʃ1Q", "AO,XX,s", "T,S T,s"])
def test_what_is_no_phone_is_named(label):
    with pytest.raises(SureError, match="a.TextGrid: .* is no phone of ARPAbet"):
        parts["_phone"](Path("a.TextGrid"), parts["_perceived"](label))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda grid: grid.write_bytes(b""), "unusable TextGrids\t{}: not a TextGrid"),
        (lambda grid: grid.write_text(grid.read_text()[:-40]), "unusable TextGrids\t{}: damaged or cut short"),
        (lambda grid: grid.write_text(grid.read_text().replace('"phones"', '"IPA"')), "{}: no interval tier 'phones'"),
        (lambda grid: grid.write_text(grid.read_text().replace('"EH1"', '"X"')), "{}: 'X' is no phone of ARPAbet"),
        (lambda grid: grid.unlink(), "utterances without a TextGrid in textgrid\tABA_arctic_a0001"),
        (lambda grid: (grid.parents[1] / "wav/arctic_a0001.wav").unlink(), "without a recording\tABA_arctic_a0001"),
    ],
)
def test_a_damaged_utterance_is_left_out_alone(copy, tmp_path, damage, reason):
    grid = copy / "ABA/textgrid/arctic_a0001.TextGrid"
    damage(grid)
    prepare(copy, tmp_path / "out")
    found = texts(tmp_path / "out")
    assert "ABA_arctic_a0001" not in found and len(found) == 35
    assert reason.format(grid) in left_out(tmp_path / "out")


def test_other_encodings_and_names(copy, tmp_path):
    prepare(copy, tmp_path / "expected")
    expected = texts(tmp_path / "expected")
    for grid in (copy / "ABA/textgrid").iterdir():
        grid.write_bytes(grid.read_text().replace("\n", "\r\n").encode("utf-16"))
    (copy / "SKA/textgrid").rename(copy / "SKA/TextGrid")
    (copy / "SKA/wav/._arctic_a0001.wav").write_bytes(b"\0")
    (copy / "SKA/.DS_Store").touch()
    for audio in (copy / "YDCK/wav").iterdir():
        audio.rename(audio.with_suffix(".WAV"))
    prepare(copy, tmp_path / "out")
    assert texts(tmp_path / "out") == expected


def test_layouts(copy, tmp_path):
    prepare(copy, tmp_path / "expected")
    prepare(copy.parent, tmp_path / "above")
    expected = texts(tmp_path / "expected")
    assert texts(tmp_path / "above") == expected
    (copy / "ABA").rename(copy / "x")
    (copy / "ABA").mkdir()
    (copy / "x").rename(copy / "ABA" / "ABA")  # unpacked into a folder of its name
    shutil.copytree(copy / "SKA", copy / "copies" / "SKA")
    prepare(copy, tmp_path / "out")
    assert texts(tmp_path / "out") == expected
    assert "second folders of a speaker\tcopies/SKA\n" in left_out(tmp_path / "out")


def test_transcripts_for_synthesis(copy, tmp_path):
    """Of the same utterances; without a transcript, or with an empty one, an utterance is left out."""
    transcripts = next(path for path in copy.rglob("ABA/transcript"))
    (transcripts / "arctic_a0001.txt").unlink()
    (transcripts / "arctic_a0003.txt").write_text("\n")
    prepare(copy, tmp_path / "out", task="tts")
    said = {one.id: one for name in ("train", "dev", "test") for one in read_data_dir(tmp_path / "out" / name)}
    assert said["ABA_arctic_a0002"].text == "A dog" and said["ABA_arctic_a0002"].speaker == "ABA"
    assert not {"ABA_arctic_a0001", "ABA_arctic_a0003"} & said.keys() and "SKA_arctic_a0001" in said
    listed = (tmp_path / "out" / "left_out.txt").read_text()
    assert "without a transcript in transcript\tABA_arctic_a0001" in listed and "unusable transcripts\t" in listed
    with pytest.raises(SureError, match="task=speech"):
        prepare(copy, tmp_path / "out", task="speech")


def test_zips_that_are_still_packed_are_named(tmp_path):
    corpus = tmp_path / "l2arctic_release_v5.0"
    corpus.mkdir()
    with pytest.raises(SureError, match="no L2-ARCTIC found: .*; --corpus takes"):
        prepare(corpus, tmp_path / "out")
    for name in ("ABA.zip", "ASI.zip"):
        (corpus / name).touch()
    with pytest.raises(SureError, match="unpack ABA.zip ASI.zip: each has a speaker"):
        prepare(corpus, tmp_path / "out")
    with pytest.raises(SureError, match="phones=ipa: expected forced or perceived"):
        prepare(corpus, tmp_path / "out", phones="ipa")


def test_split_and_published_counts():
    assert sum(parts["RECORDED"].values()) == 26867 and sum(parts["ANNOTATED"].values()) == 3599
    assert len(parts["RECORDED"]) == 24
    split = parts["split"]([f"{number:04}" for number in range(25)])
    assert list(split.values()) == ["train"] * 21 + ["dev"] * 2 + ["test"] * 2
    assert parts["split"]([]) == {}


def test_sources_say_what_to_do():
    (item,) = read_sources(RECIPE / "sources.yaml").items
    assert item.kind == "manual" and "zip for each speaker" in item.instructions
