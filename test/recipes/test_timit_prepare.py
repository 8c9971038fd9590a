"""Promises of egs/timit/prepare.py, on a miniature of the corpus and on the copies of it that are about."""

import shutil
from pathlib import Path

import miniature
import numpy as np
import pytest
import soundfile

from sure.corpus.sources import read_sources
from sure.data.audio import read_audio
from sure.data.data_dir import read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "timit"
prepare = load_prepare(RECIPE / "prepare.py")
lists = prepare.__globals__
IDS = {
    "train": "fcjf0_si1027 fcjf0_si648 fcjf0_sx37 fclt0_si808 fclt0_sx88 mmdm0_si681 mmdm0_sx51".split(),
    "dev": "faks0_si943 faks0_sx43 fdac1_si844".split(),
    "test": "mdab0_si1039 mdab0_sx49 mwbt0_si923".split(),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return miniature.make("timit", tmp_path_factory.mktemp("parent") / "corpus")


@pytest.fixture
def copy(corpus, tmp_path):
    return shutil.copytree(corpus / "TIMIT", tmp_path / "TIMIT")


def read(out):
    return {name: {u.id: u for u in read_data_dir(out / name)} for name in IDS}


def texts(out):
    return {u.id: (u.text, u.speaker, name) for name, found in read(out).items() for u in found.values()}


def left_out(out):
    return (out / "left_out.txt").read_text()


def test_sets_speakers_and_phones(corpus, tmp_path, capsys):
    prepare(corpus, tmp_path)
    sets = read(tmp_path)
    assert {name: list(found) for name, found in sets.items()} == IDS
    one = sets["train"]["fclt0_sx88"]
    assert one.speaker == "fclt0" and one.audio.endswith("TIMIT/TRAIN/DR8/FCLT0/SX88.WAV")
    assert one.text == "h# ae pau q ux ix kcl k kcl k pau jh ae w h#"
    printed = capsys.readouterr().out
    assert "train: 7, published for the full corpus: 3696" in printed
    assert "left out: 16 SA sentences" in printed
    assert left_out(tmp_path).count("outside the core test and development lists\tmstk0_si1024\n") == 1


def test_a_sphere_header_is_read_whatever_the_file_is_called(corpus, tmp_path):
    prepare(corpus, tmp_path)
    for folder in tmp_path.glob("*/wav.scp"):
        assert not validate_data_dir(folder.parent).removed
    content = (corpus / "TIMIT/TRAIN/DR1/FCJF0/SX37.WAV").read_bytes()
    samples = np.frombuffer(content[1024:], "<i2") / 2**15
    assert content.startswith(b"NIST_1A")
    np.testing.assert_array_equal(read_audio(corpus / "TIMIT/TRAIN/DR1/FCJF0/SX37.WAV").numpy(), samples)


def lower(root):
    for path in sorted(root.rglob("*"), reverse=True):
        path.rename(path.with_name(path.name.lower()))
    return root.rename(root.with_name("timit"))


def riff(root, name):
    for path in root.rglob("*.WAV"):
        samples, rate = soundfile.read(path, dtype="int16")
        soundfile.write(path.with_name(name.format(path.stem)), samples, rate, format="WAV")
        path.unlink()
    return root


COPIES = {
    "the folder itself": lambda root: root,
    "above it": lambda root: root.parent,
    "lower case": lower,
    "lower-case files": lambda root: (
        [path.rename(path.with_name(path.name.lower())) for path in [*root.rglob("*.WAV"), *root.rglob("*.PHN")]]
        and root
    ),
    "wav beside it": lambda root: [shutil.copy(path, f"{path}.wav") for path in root.rglob("*.WAV")] and root,
    "wav.wav": lambda root: riff(root, "{}.WAV.wav"),
    "riff": lambda root: riff(root, "{}.RIFF.WAV"),
    "deeper": lambda root: Path(shutil.move(root, root.parent / "a" / "data")).parents[1],
    "not in dialects' order": lambda root: root.rename(root.with_name("data")),
}


@pytest.mark.parametrize("name", COPIES)
def test_every_copy_gives_the_same(corpus, copy, tmp_path, name):
    prepare(corpus, tmp_path / "expected")
    root = COPIES[name](copy)
    prepare(root, tmp_path / "out")
    assert texts(tmp_path / "out") == texts(tmp_path / "expected")
    for folder in (tmp_path / "out").glob("*/wav.scp"):
        assert not validate_data_dir(folder.parent).removed


def test_a_tree_that_is_there_twice_counts_once(copy, tmp_path):
    shutil.copytree(copy, copy / "COPY")
    prepare(copy, tmp_path / "out")
    sets = read(tmp_path / "out")
    assert {name: list(found) for name, found in sets.items()} == IDS
    audio = {
        Path(utterance.audio).relative_to(copy).parts[0] for found in sets.values() for utterance in found.values()
    }
    assert audio == {"COPY"}
    assert "files that are there twice\tTRAIN/DR1/FCJF0/SX37.WAV\n" in left_out(tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "sentences without a .PHN file\tfcjf0_sx37"),
        (b"", "damaged .PHN files\t{}: no phones"),
        (b"0 10 h#\n10 xx sh\n", "damaged .PHN files\t{}:2: expected `start end phone`"),
        (b"0 10 h#\n10 20 AA1\n", "damaged .PHN files\t{}:2: expected"),
        (b"0 10 h#\n10 20\n", "damaged .PHN files\t{}:2: expected"),
        (b"0 10 \xff\n", "damaged .PHN files\t{}: "),
    ],
)
def test_a_sentence_without_good_phones_is_left_out(copy, tmp_path, content, reason):
    file = copy / "TRAIN/DR1/FCJF0/SX37.PHN"
    file.unlink() if content is None else file.write_bytes(content)
    prepare(copy, tmp_path / "out")
    assert "fcjf0_sx37" not in read(tmp_path / "out")["train"]
    assert reason.format(file) in left_out(tmp_path / "out")


def test_phones_in_other_writing(copy, tmp_path):
    (copy / "TRAIN/DR1/FCJF0/SX37.PHN").write_bytes(b"0 10 H#\r\n10\t20  AX-H\r\n\r\n20 30 h#")
    (copy / "TRAIN/DR1/FCJF0/SI648.WAV").unlink()
    prepare(copy, tmp_path / "out")
    assert read(tmp_path / "out")["train"]["fcjf0_sx37"].text == "h# ax-h h#"
    assert "sentences without a recording\tfcjf0_si648\n" in left_out(tmp_path / "out")


def test_what_is_no_timit_is_described(tmp_path):
    (tmp_path / "corpus").mkdir()
    with pytest.raises(SureError, match="corpus: no TIMIT found: looked for TRAIN/DR1/"):
        prepare(tmp_path / "corpus", tmp_path / "out")


def test_a_copy_without_its_test_part_is_described(copy, tmp_path):
    shutil.rmtree(copy / "TEST")
    with pytest.raises(SureError, match="the set dev is empty"):
        prepare(copy, tmp_path / "out")


def test_the_lists_of_speakers():
    core, development = lists["CORE_TEST"], lists["DEVELOPMENT"]
    assert len(set(core)) == 24 and sum(name.startswith("m") for name in core) == 16
    assert len(set(development)) == 50 and not set(core) & set(development)
    sentences = 8  # of each speaker, without the two SA
    assert lists["PUBLISHED"] == {"train": 462 * sentences, "dev": 50 * sentences, "test": 24 * sentences}


def test_sources_say_what_to_do():
    (item,) = read_sources(RECIPE / "sources.yaml").items
    assert item.kind == "manual" and "--corpus DIR" in item.instructions
