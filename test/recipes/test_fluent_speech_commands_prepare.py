"""Promises of egs/fluent_speech_commands/prepare.py, on a miniature of the corpus and variants of its tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fluent_speech_commands import COLUMNS, COMMANDS, SPEAKERS, TOP, make_tree, path_of, row, write_table

from sure.corpus.sources import read_sources
from sure.data.data_dir import read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "fluent_speech_commands"
SETS = {"train": "train", "dev": "valid", "test": "test"}
SPEAKER = SPEAKERS["test"][0]
LIGHTS, HEAT, CHINESE, GERMAN = COMMANDS
prepare = load_prepare(RECIPE / "prepare.py")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("corpus") / "fluent" / TOP)


@pytest.fixture
def copy(corpus, tmp_path):
    return shutil.copytree(corpus, tmp_path / "copy")


def utterances(out: Path) -> dict[str, list]:
    return {name: read_data_dir(out / name) for name in SETS}


def left_out(out: Path) -> list[str]:
    return (out / "left_out.txt").read_text().splitlines()


def test_sets_ids_and_speakers(corpus, tmp_path, capsys):
    prepare(corpus, tmp_path)
    found = utterances(tmp_path)
    for name, table in SETS.items():
        paths = {(speaker, str(corpus / path_of(speaker, text))) for speaker in SPEAKERS[table] for text in COMMANDS}
        assert {(one.speaker, one.audio) for one in found[name]} == paths
        assert all(one.id == f"{one.speaker}-{Path(one.audio).stem}" for one in found[name])
        assert not validate_data_dir(tmp_path / name, on_bad_utterance="stop").removed
    assert left_out(tmp_path) == []
    assert "fluent_speech_commands (slots): 8 train, 4 dev, 4 test" in (printed := capsys.readouterr().out)
    assert "test: 4, published for the full corpus: 3793" in printed


def test_slots_are_output_groups(corpus, tmp_path):
    prepare(corpus, tmp_path)
    labels = {Path(one.audio).name: one.labels for one in utterances(tmp_path)["test"]}
    assert labels == {
        Path(path_of(SPEAKER, LIGHTS)).name: {"action": "activate", "object": "lights", "location": "none"},
        Path(path_of(SPEAKER, HEAT)).name: {"action": "increase", "object": "heat", "location": "kitchen"},
        Path(path_of(SPEAKER, CHINESE)).name: {"action": "change_language", "object": "Chinese", "location": "none"},
        Path(path_of(SPEAKER, GERMAN)).name: {"action": "change_language", "object": "German", "location": "none"},
    }


def test_joint_intents_are_one_label(corpus, tmp_path):
    prepare(corpus, tmp_path, labels="joint")
    assert {one.labels["label"] for one in utterances(tmp_path)["dev"]} == {
        "activate-lights-none", "increase-heat-kitchen", "change_language-Chinese-none", "change_language-German-none",
    }  # fmt: skip


@pytest.mark.parametrize(
    "columns, encoding", [(COLUMNS, "utf-8-sig"), (["Unnamed: 0", *COLUMNS[1:]], "utf-8"), (COLUMNS, "utf-8")]
)
def test_tables_as_programs_write_them(corpus, copy, tmp_path, columns, encoding):
    for table in SETS.values():
        rows = [row(speaker, text) for speaker in SPEAKERS[table] for text in COMMANDS]
        write_table(copy / "data" / f"{table}_data.csv", rows, columns, encoding)
    prepare(copy, tmp_path / "written")
    prepare(corpus, tmp_path / "original")
    for name in SETS:
        tables = [tmp_path / kind / name / "utt2label" for kind in ("written", "original")]
        assert tables[0].read_bytes() == tables[1].read_bytes()


def test_tables_without_numbers_with_other_ends_and_slashes(corpus, copy, tmp_path):
    table = copy / "data" / "test_data.csv"
    lines = [line.partition(",")[2].replace("/", "\\") for line in table.read_text().splitlines()]
    table.write_bytes("\r\n".join(lines).encode())
    prepare(copy, tmp_path / "changed")
    prepare(corpus, tmp_path / "original")
    tables = [tmp_path / kind / "test" / "utt2label" for kind in ("changed", "original")]
    assert tables[0].read_bytes() == tables[1].read_bytes()


def test_the_folder_may_be_above(corpus, tmp_path):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / TOP).symlink_to(corpus)
    for number, place in enumerate([corpus, corpus.parent, corpus.parent.parent, tmp_path / "linked"]):
        prepare(place, tmp_path / str(number))
        ids = [[one.id for one in ones] for ones in utterances(tmp_path / str(number)).values()]
        assert [len(each) for each in ids] == [8, 4, 4]


def test_what_is_left_out_is_listed(copy, tmp_path):
    missing, unlisted = copy / path_of(SPEAKER, LIGHTS), copy / "wavs" / "speakers" / SPEAKER / "unlisted.wav"
    missing.rename(unlisted)
    given = row(SPEAKER, HEAT)
    rows = [row(SPEAKER, LIGHTS), given, given, [*row(SPEAKER, CHINESE)[:-1], ""], row(SPEAKER, GERMAN)]
    write_table(copy / "data" / "test_data.csv", rows)
    prepare(copy, tmp_path / "out")
    table = copy / "data" / "test_data.csv"
    assert left_out(tmp_path / "out") == [
        f"recordings that no table has\t{unlisted}",
        f"rows of a recording that an earlier row has\t{table}, line 4: {given[0]}",
        f"rows whose recording is not there\t{table}, line 2: {path_of(SPEAKER, LIGHTS)}",
        f"rows without path, speaker, action, object or location\t{table}, line 5: {path_of(SPEAKER, CHINESE)}",
    ]
    assert [len(ones) for ones in utterances(tmp_path / "out").values()] == [8, 4, 2]


def test_a_path_longer_than_any_file_name_is_left_out(copy, tmp_path):
    given = row(SPEAKER, LIGHTS)
    rows = [["wavs/" + "a" * 300 + ".wav" if cell == given[0] else cell for cell in given], row(SPEAKER, HEAT)]
    write_table(copy / "data" / "test_data.csv", rows)
    prepare(copy, tmp_path / "out")
    reason = "rows whose recording is not there"
    assert [line for line in left_out(tmp_path / "out") if line.startswith(reason) and "a" * 300 in line]
    assert len(utterances(tmp_path / "out")["test"]) == 1


def test_a_recording_is_never_in_two_sets(copy, tmp_path):
    write_table(copy / "data" / "test_data.csv", [row(SPEAKER, HEAT), row(SPEAKERS["train"][0], HEAT)])
    prepare(copy, tmp_path / "out")
    assert {one.speaker for one in utterances(tmp_path / "out")["test"]} == {SPEAKER}
    assert "rows of a recording that an earlier row has" in (tmp_path / "out" / "left_out.txt").read_text()


def test_missing_and_damaged_parts_are_named(corpus, copy, tmp_path):
    table = copy / "data" / "test_data.csv"
    write_table(table, [row(SPEAKER, HEAT)], ["", "path", "speaker", *COLUMNS[3:]])
    with pytest.raises(SureError, match="test_data.csv: no column 'speakerId'; expected path, .*found , path, speaker"):
        prepare(copy, tmp_path / "out")
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SureError, match="test_data.csv: cannot be read"):
        prepare(copy, tmp_path / "out")
    table.unlink()
    with pytest.raises(SureError, match="copy: not found: data/test_data.csv"):
        prepare(copy, tmp_path / "out")
    with pytest.raises(
        SureError, match="wavs: not found: data/train_data.csv, data/valid_data.csv, data/test_data.csv"
    ):
        prepare(corpus / "wavs", tmp_path / "out")
    shutil.copytree(corpus / "data", tmp_path / "two" / "a" / "data")
    shutil.copytree(corpus / "data", tmp_path / "two" / "b" / "data")
    with pytest.raises(SureError, match="more than one copy.*two/a .*two/b"):
        prepare(tmp_path / "two", tmp_path / "out")


def test_unknown_labels(corpus, tmp_path):
    with pytest.raises(SureError, match="labels=31: the fluent_speech_commands recipe has slots and joint"):
        prepare(corpus, tmp_path, labels="31")


def test_sources_say_where_to_ask():
    (item,) = read_sources(RECIPE / "sources.yaml").items
    assert item.kind == "manual" and "--corpus" in item.instructions
