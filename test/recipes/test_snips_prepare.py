"""Promises of egs/snips/prepare.py, on a miniature of s3prl's archive and on other ways to write its lines."""

from __future__ import annotations

import shutil
from pathlib import Path

import miniature
import pytest
from audio_files import write_audio
from speech import speech

from sure.corpus.sources import read_sources
from sure.data.data_dir import read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare
from sure.text.slots import normalize_marked, slots_of

RECIPE = Path(__file__).parents[2] / "egs" / "snips"


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    return miniature.make("snips", tmp_path_factory.mktemp("snips") / "made")


@pytest.fixture
def corpus(archive, tmp_path) -> Path:
    return shutil.copytree(archive / "SNIPS", tmp_path / "SNIPS")


def prepare(corpus: Path, out: Path, **options: str) -> dict[str, dict]:
    """set -> id -> utterance."""
    folders = load_prepare(RECIPE / "prepare.py")(corpus, out, **options)
    assert folders == [out / "train", out / "dev", out / "test"]
    for folder in folders:
        assert not validate_data_dir(folder, on_bad_utterance="stop").removed
    return {folder.name: {u.id: u for u in read_data_dir(folder)} for folder in folders}


def text_of(line: str, corpus: Path) -> str:
    """The text of one line, given in the place of the first."""
    transcripts = corpus / "all.iob.snips.txt"
    lines = [other for other in transcripts.read_text().splitlines() if not other.startswith("Ivy-snips-train-0 ")]
    transcripts.write_text("\n".join([*lines, f"Ivy-snips-train-0{line}"]) + "\n")
    utterances = prepare(corpus, corpus.parent / "out")["train"]
    return utterances["Ivy-snips-train-0"].text if "Ivy-snips-train-0" in utterances else ""


def test_all_voices_are_in_all_sets(corpus, tmp_path, capsys):
    sets = prepare(corpus, tmp_path / "out")
    assert {name: len(utterances) for name, utterances in sets.items()} == {"train": 16, "dev": 4, "test": 4}
    assert all({u.speaker for u in sets[name].values()} == {"Amy", "Brian", "Ivy", "Joey"} for name in sets)
    printed = capsys.readouterr().out
    assert "train: 16, published for the full corpus: 209344" in printed and "dev: 4, " in printed


def test_superb_keeps_voices_apart(corpus, tmp_path, capsys):
    sets = prepare(corpus, tmp_path / "out", speakers="superb")
    speakers = {name: {u.speaker for u in utterances.values()} for name, utterances in sets.items()}
    assert speakers == {"train": {"Ivy", "Joey"}, "dev": {"Amy"}, "test": {"Brian"}}
    assert "published for the full corpus: 104672" in capsys.readouterr().out


def test_texts(corpus, tmp_path):
    train = prepare(corpus, tmp_path / "out")["train"]
    assert [train[f"Ivy-snips-train-{number}"].text for number in range(4)] == [
        "play B-artist adele E-artist",
        "rate B-object_select it E-object_select B-rating_value five E-rating_value B-rating_unit stars E-rating_unit",
        "play B-genre r and b pop E-genre",
        "meteo in B-city otone E-city",
    ]
    for utterance in train.values():
        assert normalize_marked(utterance.text, "en") == utterance.text


def test_what_is_left_out(corpus, tmp_path):
    with open(corpus / "all.iob.snips.txt", "a") as file:
        file.write("Amy-snips-train-0 BOS PLAY ADELE EOS\tO O artist PlayMusic\n")  # as before
        file.write("Joey-snips-train-0 BOS PLAY SADE EOS\tO O artist PlayMusic\n")  # another text
        file.write("Ivy-train-4 BOS PLAY EOS\tO O PlayMusic\n\nJoey-snips-train-1\n")
        file.write("Brian-snips-train-1 BOS ?! , EOS\tO O O X\n")
    write_audio(corpus / "train" / "._Ivy-snips-train-0.wav", speech("GO"))
    train = prepare(corpus, tmp_path / "out")["train"]
    assert "Amy-snips-train-0" in train
    lines = (tmp_path / "out" / "left_out.txt").read_text().splitlines()
    recordings = "recordings without a usable line in all.iob.snips.txt"
    listed = [line.split("\t") for line in lines if not line.startswith(recordings)]
    assert listed == [
        ["ids with several different lines", "Brian-snips-train-1"],
        ["ids with several different lines", "Joey-snips-train-0"],
        ["ids with several different lines", "Joey-snips-train-1"],
        ["lines without a recording", "Ivy-snips-train-8"],
        [
            "lines without an id SPEAKER-snips-SET-NUMBER",
            "all.iob.snips.txt, line 29: Ivy-train-4 BOS PLAY EOS O O PlayMusic",
        ],
        ["lines without one slot for each word", "Ivy-snips-train-9"],
    ]
    stems = [Path(line.split("\t")[1]).stem for line in lines if line.startswith(recordings)]
    assert sorted(stems) == [
        "Brian-snips-train-1",
        "Ivy-snips-train-7",
        "Joey-snips-train-0",
        "Joey-snips-train-1",
    ]


@pytest.mark.parametrize(
    "line, slots",
    [
        # one tab between all columns; no BOS and EOS; the intent in a column of its own or none
        ("\tPLAY ADELE\tO artist\tPlayMusic", [("artist", "adele")]),
        (" PLAY ADELE\tO artist PlayMusic", [("artist", "adele")]),
        (" BOS PLAY ADELE EOS\tO O artist O\tPlayMusic", [("artist", "adele")]),
        (" BOS PLAY ADELE EOS\tO O artist O PlayMusic", [("artist", "adele")]),
        (" BOS Play adele EOS\tO O PlayMusic/artist PlayMusic", [("artist", "adele")]),
        # B- begins a slot, also behind one of the same type; I- of another type, or without B-, as well
        (" BOS ADELE SADE EOS\tO B-artist B-artist X", [("artist", "adele"), ("artist", "sade")]),
        (" BOS ADELE SADE EOS\tO artist artist X", [("artist", "adele sade")]),
        (" BOS ADELE SADE EOS\tO B-artist I-artist X", [("artist", "adele sade")]),
        (" BOS ADELE POP EOS\tO B-artist I-genre X", [("artist", "adele"), ("genre", "pop")]),
        (" BOS PLAY ADELE SADE EOS\tO O I-artist I-artist X", [("artist", "adele sade")]),
        (" BOS ADELE , SADE EOS\tO B-artist O I-artist X", [("artist", "adele sade")]),
        # digits, apostrophes, brackets, other scripts
        (" BOS IT 'S 42ND EOS\tO O O rank X", [("rank", "forty second")]),
        (" BOS DON'T ( STOP ) EOS\tO track track track track X", [("track", "don't stop")]),
        (" BOS PLAY (REMIX) EOS\tO O track X", [("track", "remix")]),
        (" BOS 楽園追放 官方杂志 EOS\tO movie movie X", [("movie", "expelled")]),
        (" BOS PLAY - EOS\tO O artist X", []),
        (" BOS  PLAY   ADELE EOS \tO O  artist X \r", [("artist", "adele")]),
        (" BOS PLAY\u00a0IT \u00a0 ADELE EOS\tO O O artist X", [("artist", "adele")]),  # one word, and one of nothing
    ],
)
def test_ways_to_write_a_line(corpus, line, slots):
    text = text_of(line, corpus)
    assert text and slots_of(text) == slots
    assert normalize_marked(text, "en") == text


@pytest.mark.parametrize("line", [" BOS PLAY EOS", " BOS PLAY EOS\tO X", " BOS PLAY EOS\tO O artist X", "\tO X", ""])
def test_a_line_without_a_slot_for_each_word_is_left_out(corpus, line):
    assert text_of(line, corpus) == ""


@pytest.mark.parametrize("above", ["", "deeper", "deeper/still"])
def test_the_folder_or_one_above_it(corpus, tmp_path, above):
    root = tmp_path / "given"
    (root / above).mkdir(parents=True)
    shutil.move(corpus, root / above / "SNIPS")
    if above == "deeper/still":
        with pytest.raises(SureError, match="no all.iob.snips.txt there or up to two folders below.*train, valid"):
            prepare(root, tmp_path / "out")
        root /= above
    assert len(prepare(root, tmp_path / "out")["train"]) == 16


def test_other_formats_of_recordings(corpus, tmp_path):
    ivy = corpus / "train" / "Ivy-snips-train-0.wav"
    write_audio(ivy.with_suffix(".flac"), speech("PLAY"))  # beside the wav: the wav is taken
    joey = ivy.with_name("Joey-snips-train-0.wav")
    joey.unlink()
    write_audio(joey.with_suffix(".mp3"), speech("PLAY ADELE"))
    train = prepare(corpus, tmp_path / "out")["train"]
    assert train["Ivy-snips-train-0"].audio == str(ivy)
    assert train["Joey-snips-train-0"].audio == str(joey.with_suffix(".mp3"))


def test_a_corpus_without_recordings_and_unknown_speakers(corpus, tmp_path):
    with pytest.raises(SureError, match="speakers=women: the snips recipe has all and superb"):
        prepare(corpus, tmp_path / "out", speakers="women")
    for name in ("train", "valid", "test"):
        shutil.rmtree(corpus / name)
    with pytest.raises(SureError, match="no recordings .* below it; are train, valid and test unpacked"):
        prepare(corpus, tmp_path / "out")


def test_what_is_no_text_is_named(corpus, tmp_path):
    (corpus / "all.iob.snips.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SureError, match="all.iob.snips.txt: cannot be read as UTF-8 text"):
        prepare(corpus, tmp_path / "out")


def test_sources_are_public():
    (item,) = read_sources(RECIPE / "sources.yaml").items
    assert [group.items[0].kind for group in item.any_of] == ["archive", "manual"]
