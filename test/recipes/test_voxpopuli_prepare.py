"""Promises of egs/voxpopuli/prepare.py, on a miniature of the publisher's files and on cut recordings."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
import tarfile
from pathlib import Path

import miniature
import pytest
from audio_files import write_audio
from speech import speech

from sure.corpus.sources import read_sources
from sure.data.data_dir import Utterance, read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "voxpopuli"
TEXTS = {
    "train": {
        "20090112-0900-PLENARY-3-en_20090112-09:00:00_0": "madam",
        "20090112-0900-PLENARY-3-en_20090112-09:00:01_1": "he said no",
        "20090112-0900-PLENARY-3-en_20090112-09:00:02_2": "five men",
        "20120703-0900-PLENARY-15-en_20120703-09:00:00_0": "so be it",
        "20120703-0900-PLENARY-15-en_20120703-09:00:01_1": "no no",
    },
    "dev": {
        "20090112-0900-PLENARY-3-en_20090112-09:00:04_4": "a vote",
        "20120703-0900-PLENARY-15-en_20120703-09:00:02_2": "thanks",
    },
    "test": {
        "20120703-0900-PLENARY-15-en_20120703-09:00:03_3": "done",
        "20120703-0900-PLENARY-15-en_20120703-09:00:04_4": "i say so",
    },
}
HEADER = "id raw_text normalized_text speaker_id split gender is_gold_transcript accent".split()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return miniature.make("voxpopuli", tmp_path_factory.mktemp("voxpopuli") / "made")


@pytest.fixture
def sessions(made, tmp_path) -> Path:
    """As sources.yaml unpacks it."""
    corpus = tmp_path / "corpus"
    (corpus / "annotations" / "asr").mkdir(parents=True)
    shutil.copy(made / "asr_en.tsv.gz", corpus / "annotations" / "asr")
    for path in made.glob("*.tar"):
        with tarfile.open(path) as tar:
            tar.extractall(corpus / "raw_audios")
    return corpus


def read(path: Path) -> list[dict[str, str]]:
    """The rows of the publisher's list."""
    return list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines(), delimiter="|"))


@pytest.fixture
def cut(made, tmp_path) -> Path:
    """As the publisher's program cuts it: a folder for each year, and a list for each set."""
    corpus = tmp_path / "transcribed_data"
    (corpus / "en").mkdir(parents=True)
    rows = list(
        csv.DictReader(gzip.decompress((made / "asr_en.tsv.gz").read_bytes()).decode().splitlines(), delimiter="|")
    )
    for subset in ("train", "dev", "test"):
        lines = ["\t".join(HEADER)]
        for row in rows:
            if row["split"] == subset:
                id = f"{row['session_id']}-{row['id_']}"
                keys = ("original_text", "normed_text", "speaker_id", "split", "gender", "is_gold_transcript", "accent")
                lines.append("\t".join([id, *(row[key] for key in keys)]))
                if not id.startswith("2020"):
                    write_audio(corpus / "en" / id[:4] / f"{id}.ogg", speech(row["normed_text"], row["speaker_id"]))
        (corpus / "en" / f"asr_{subset}.tsv").write_text("\n".join(lines) + "\n")
    return corpus


def prepare(corpus: Path, out: Path, **options: str) -> dict[str, dict[str, Utterance]]:
    """set -> id -> utterance."""
    folders = load_prepare(RECIPE / "prepare.py")(corpus, out, **options)
    assert folders == [out / "train", out / "dev", out / "test"]
    for folder in folders:
        assert not validate_data_dir(folder, on_bad_utterance="stop").removed
    return {folder.name: {u.id: u for u in read_data_dir(folder)} for folder in folders}


def texts(sets: dict[str, dict[str, Utterance]]) -> dict[str, dict[str, str]]:
    return {name: {id: u.text for id, u in utterances.items()} for name, utterances in sets.items()}


def left_out(out: Path) -> list[list[str]]:
    return [line.split("\t", 1) for line in (out / "left_out.txt").read_text().splitlines()]


def rewrite(corpus: Path, **changes: str) -> None:
    """Other values in all rows of the publisher's list."""
    path = next(corpus.rglob("asr_en.tsv.gz"))
    rows = read(path)
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0], delimiter="|")
    writer.writeheader()
    writer.writerows(row | changes for row in rows)
    path.write_bytes(gzip.compress(table.getvalue().encode()))


def test_speeches_are_parts_of_sessions(sessions, tmp_path):
    sets = prepare(sessions, tmp_path / "out")
    assert texts(sets) == TEXTS
    first, second, *_ = sets["train"].values()
    assert first.audio == second.audio and first.audio.endswith("original/2009/20090112-0900-PLENARY-3_original.ogg")
    # from the beginning of the first piece of voice to the end of the last
    assert first.start == pytest.approx(0.1) and first.end > 0.5 and second.start == pytest.approx(first.end + 0.1)
    scp = (tmp_path / "out" / "train" / "wav.scp").read_text().splitlines()
    assert len(scp) == 2 and (tmp_path / "out" / "train" / "segments").is_file()


def test_cut_recordings_give_the_same_utterances(sessions, cut, tmp_path):
    sets = prepare(cut, tmp_path / "out")
    assert texts(sets) == TEXTS
    assert all(u.start is None for utterances in sets.values() for u in utterances.values())
    assert not (tmp_path / "out" / "train" / "segments").exists()
    whole = prepare(sessions, tmp_path / "whole")
    speakers = [{id: u.speaker for id, u in made["train"].items()} for made in (sets, whole)]
    assert speakers[0] == speakers[1]
    assert list(speakers[0].values()) == ["840", "840", "unknown_20090112-0900-PLENARY-3", "2002", "2002"]


def test_what_is_left_out(sessions, cut, tmp_path):
    prepare(sessions, tmp_path / "out")
    assert left_out(tmp_path / "out") == [
        ["rows of no set", "20120703-0900-PLENARY-15-en_20120703-09:00:05_5"],
        ["rows without a normalised text", "20090112-0900-PLENARY-3-en_20090112-09:00:03_3"],
        ["rows without a recording", "20200101-0900-PLENARY-1-en_20200101-09:00:00_0"],
    ]
    stray = write_audio(cut / "en" / "2009" / "20090101-0900-PLENARY-1-en_1_1.ogg", speech("stray"))
    with open(cut / "en" / "asr_dev.tsv", "a") as file:
        file.write((cut / "en" / "asr_dev.tsv").read_text().splitlines()[1] + "\n")
    assert texts(prepare(cut, tmp_path / "cut")) == TEXTS
    assert ["cut recordings without a row", str(stray)] in left_out(tmp_path / "cut")
    assert ["rows that repeat an id", next(iter(TEXTS["dev"]))] in left_out(tmp_path / "cut")


@pytest.mark.parametrize("layout", ["above", "the language", "Hugging Face", "no colons", "cut beside sessions"])
def test_other_layouts(sessions, cut, tmp_path, layout):
    given = cut
    if layout == "above":
        given = cut.rename(tmp_path / "deeper").parent
        shutil.rmtree(sessions)
    elif layout == "the language":
        given = cut / "en"
    elif layout == "Hugging Face":  # wav in folders by set and part
        for path in sorted(cut.rglob("*.ogg")):
            write_audio(cut / "en" / "train" / "train_part_0" / f"{path.stem}.wav", speech(path.stem[-1]))
            path.unlink()
    elif layout == "no colons":
        for path in sorted(cut.rglob("*.ogg")):
            path.rename(path.with_name(path.name.replace(":", "_")))
    else:
        given = sessions
        shutil.copytree(cut, sessions / "transcribed_data")
    sets = prepare(given, tmp_path / "out")
    assert texts(sets) == TEXTS
    assert all(u.start is None for u in sets["train"].values())


def test_sessions_of_the_language_alone(sessions, tmp_path):
    for path in sorted(sessions.rglob("*_original.ogg")):
        path.rename(path.with_name(path.name.replace("_original", "_en")))
    assert texts(prepare(sessions, tmp_path / "out")) == TEXTS


def test_times_without_pieces_of_voice(sessions, tmp_path):
    rewrite(sessions, vad="")
    first = next(iter(prepare(sessions, tmp_path / "out")["train"].values()))
    assert first.start == pytest.approx(0.05) and first.end > 0.5
    rewrite(sessions, vad="", start_time="", end_time="")
    with pytest.raises(SureError, match="the set train is empty"):
        prepare(sessions, tmp_path / "out")
    assert {reason for reason, _ in left_out(tmp_path / "out")} >= {"rows without a recording"}


def test_what_stands_behind_the_times_of_a_piece_is_no_time(sessions, tmp_path):
    rewrite(sessions, vad="[(0.1, 2e-1, 5.5), [0.3, 0.4, 'x 7']]")
    first = next(iter(prepare(sessions, tmp_path / "out")["train"].values()))
    assert (first.start, first.end) == pytest.approx((0.1, 0.4))


def test_a_speech_of_very_many_pieces(sessions, tmp_path):
    rewrite(sessions, vad=str([(0.1 + number * 1e-6, 0.9) for number in range(20_000)]))
    assert next(iter(prepare(sessions, tmp_path / "out")["train"].values())).end == pytest.approx(0.9)


def test_digits_where_there_are_no_number_words(cut, tmp_path):
    (cut / "en").rename(cut / "de")
    for path in sorted(cut.rglob("*.ogg")):
        path.rename(path.with_name(path.name.replace("-en_", "-de_")))
    for path in cut.rglob("*.tsv"):
        path.write_text(path.read_text().replace("-en_", "-de_").replace("\tno, no.", "\t5 nein"))
    train = prepare(cut, tmp_path / "out", lang="de")["train"]
    assert len(train) == 4
    reason = "texts with digits, as there are no number words for de"
    assert [reason, "20120703-0900-PLENARY-15-de_20120703-09:00:01_1"] in left_out(tmp_path / "out")


def test_what_is_missing_or_damaged_is_said(sessions, cut, tmp_path):
    with pytest.raises(SureError, match="lang=pt: VoxPopuli has transcripts in en de fr"):
        prepare(sessions, tmp_path / "out", lang="pt")
    for corpus in (sessions, cut, cut / "en"):
        with pytest.raises(SureError, match="no list of fr there; expected asr_fr.tsv.gz"):
            prepare(corpus, tmp_path / "out", lang="fr")
    (cut / "en" / "asr_dev.tsv").unlink()
    with pytest.raises(SureError, match="asr_dev.tsv is missing"):
        prepare(cut, tmp_path / "out")
    path = next(sessions.rglob("asr_en.tsv.gz"))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(SureError, match="asr_en.tsv.gz: cannot be read as a table"):
        prepare(sessions, tmp_path / "out")
    path.write_bytes(gzip.compress(b"session_id|text\nx|y\n"))
    with pytest.raises(SureError, match="no column id_"):
        prepare(sessions, tmp_path / "out")


def test_the_recordings_of_all_languages_come_once():
    english, german = (read_sources(RECIPE / "sources.yaml", {"lang": lang}).items for lang in ("en", "de"))
    assert english[0].file_name == "asr_en.tsv.gz" and german[0].file_name == "asr_de.tsv.gz"
    assert english[1:] == german[1:] and len(english) == 13
