"""Mistakes in the tables of egs/TEMPLATE: each is one error with the table, the line and the column."""

from pathlib import Path

import pytest

from sure.errors import SureError
from sure.stages.prepare import load_prepare

PREPARE = load_prepare(Path(__file__).parents[2] / "egs" / "TEMPLATE" / "prepare.py")
GOOD = "audio\ttext\tlabel\na.wav\tlight on\ton\n"


@pytest.mark.parametrize(
    ("train", "task", "message"),
    [
        ("audio\ttxt\na.wav\ton\n", "asr", "train.tsv, line 1: no column 'text'; the columns are 'audio' 'txt'"),
        (GOOD.replace("\t", ","), "asr", "no column 'audio'; the columns are 'audio,text,label' .put tabs"),
        (GOOD, "verification", "train.tsv, line 1: no column 'speaker'"),
        (GOOD + "\ton\ton\n", "asr", "train.tsv, line 3: the column 'audio' is empty"),
        (GOOD + "b.wav\ton\n", "intent", "train.tsv, line 3: the column 'label' is empty"),
        (GOOD + "a.wav\toff\toff\n", "asr", "the id 'a' is given to two utterances; each needs its own id"),
        (None, "asr", "train.tsv is missing; a corpus needs train.tsv, dev.tsv, test.tsv"),
    ],
)
def test_a_mistake_in_a_table_is_one_error(tmp_path, train, task, message):
    for name, table in {"train": train, "dev": GOOD, "test": GOOD}.items():
        if table is not None:
            (tmp_path / f"{name}.tsv").write_text(table)
    with pytest.raises(SureError, match=message):
        PREPARE(tmp_path, tmp_path / "data", task=task)


def test_an_empty_text_is_left_to_stage_2(tmp_path):
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.tsv").write_text("audio\ttext\na.wav\t\nb.wav\n")
    folders = PREPARE(tmp_path, tmp_path / "data", task="asr")
    assert [(folder / "text").read_text().split() for folder in folders] == [["a", "b"]] * 3
