"""Successive halving of learning rates: its rounds, and the rates that they keep."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from toys import settings

from sure.bin import rates
from sure.config import make_config
from sure.errors import SureError
from sure.files import replace_file
from sure.recipe.halving import last_epoch, number_kept, read_part, rounds_of

SCORES = {  # accuracy by epoch; the third epoch does not count in a round after two of six
    1e-3: [10, 20, 99],
    3e-3: [40, 30, 30, 30, 30, 50],
    1e-2: [40, 40, 40],
}


@pytest.mark.parametrize(
    ("count", "rounds", "left"),
    [(2, ["1/3"], [1]), (3, ["1/3"], [1]), (4, ["1/9", "1/3"], [2, 1]), (9, ["1/9", "1/3"], [3, 1]),
     (10, ["1/27", "1/9", "1/3"], [4, 2, 1])],
)  # fmt: skip
def test_each_round_keeps_a_third_and_the_last_one_ends_after_a_third_of_the_epochs(count, rounds, left):
    assert rounds_of("halving", ["1e-3"] * count) == rounds and rounds_of("grid", ["1e-3"] * count) == []
    for kept in left:
        count = number_kept(count)
        assert count == kept


def test_epochs_of_a_part_are_rounded_up():
    assert [last_epoch(read_part("1/3"), epochs) for epochs in (1, 3, 4, 15)] == [1, 1, 2, 5]
    assert last_epoch(Fraction(1), 7) == 7


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "0.3", "-1/3", "x"])
def test_anything_else_is_not_a_part(text):
    with pytest.raises(SureError, match="--part takes a part of all epochs such as 1/3"):
        read_part(text)


def test_a_search_is_grid_or_halving_and_halving_needs_rates():
    with pytest.raises(SureError, match="--search: unknown value 'half'; expected one of: grid halving"):
        rounds_of("half", ["1e-3", "1e-2"])
    with pytest.raises(SureError, match="--search halving needs two --rates or more"):
        rounds_of("halving", ["1e-3"])


@pytest.fixture
def folders(tmp_path):
    made = []
    for rate, scores in SCORES.items():
        folder = tmp_path / f"lora_rate{rate}" / "seed1"
        lines = [{"dev_accuracy": score, "dev_loss": 1 - rate} for score in scores]
        replace_file(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        replace_file(folder / "best.json", json.dumps({"score_name": "accuracy"}))
        make_config(settings(tmp_path, train__epochs=6, train__lr_adapter=rate), "test").save(folder / "config.yaml")
        made.append(str(folder))
    return made


def test_the_best_of_the_compared_epochs_is_kept_and_equal_scores_are_decided_by_the_loss(folders, capsys):
    rates.main(["--part", "1/3", "--kept", *folders])
    assert capsys.readouterr().out == f"{folders[2]}\n"
    rates.main(["--part=1/3", *folders])
    printed = capsys.readouterr().out
    assert "| method | epochs | 0.001 | 0.003 | 0.01 |" in printed and "higher is better" in printed
    assert "| lora | 2 of 6 | 20.00 | 40.00 | **40.00** |" in printed


def test_a_rate_that_has_too_few_epochs_or_a_damaged_file_is_named(folders):
    with pytest.raises(SureError, match=r"lora_rate0.001/seed1 has 3 of the 4 epochs to compare; run stage 4"):
        rates.main(["--part=2/3", *folders])
    with pytest.raises(SureError, match="lora: two experiments have the same learning rate"):
        rates.main(["--part=1/3", *folders, folders[0]])
    replace_file(Path(folders[1]) / "metrics.jsonl", '{"dev_accuracy"')
    with pytest.raises(SureError, match=r"lora_rate0.003/seed1/metrics.jsonl cannot be used"):
        rates.main(["--part=1/3", *folders])
