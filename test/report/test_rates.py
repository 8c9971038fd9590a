"""Table of dev scores by learning rate, from summary.json files of stage 4."""

import json
import re
from pathlib import Path

import pytest

from sure.bin import rates
from sure.errors import SureError


@pytest.fixture
def train(tmp_path):
    def experiment(method, rate, dev_score, seed=1, task="asr"):
        folder = tmp_path / f"asr_{method}_rate{rate}" / f"seed{seed}"
        folder.mkdir(parents=True)
        summary = {"task": task, "method": method, "lr_adapter": rate, "seed": seed, "epochs": 5}
        summary["dev_score"] = dev_score
        (folder / "summary.json").write_text(json.dumps(summary))
        return str(folder)

    return experiment


def test_best_rate_of_each_method_is_bold_and_a_missing_rate_is_a_dash(train, capsys):
    rates.main([train("lora", 0.01, 70.0), train("lora", 0.001, 60.0), train("bitfit", 0.01, 50.0)])
    printed = capsys.readouterr().out
    assert "| method | 0.001 | 0.01 |" in printed
    assert "| lora | **60.00** | 70.00 |" in printed  # lower WER
    assert "| bitfit | - | **50.00** |" in printed
    assert "wer" in printed and "lower is better" in printed


def test_mean_over_seeds_and_higher_accuracy_is_better(train, capsys):
    scores = [("lora", 0.1, 80.0, 1), ("lora", 0.1, 90.0, 2), ("lora", 0.2, 84.0, 1), ("lora", 0.2, 84.0, 2)]
    rates.main([train(*row, task="language") for row in scores])
    assert "| lora | **85.00** | 84.00 |" in capsys.readouterr().out


def test_rate_with_fewer_seeds_shows_their_number_and_is_never_best(train, capsys):
    rates.main([train("lora", 0.1, 10.0, 1), train("lora", 0.1, 30.0, 2), train("lora", 0.2, 15.0, 1)])
    assert "| lora | **20.00** | 15.00 (1) |" in capsys.readouterr().out


def test_unfinished_training_and_several_tasks_are_errors(train, tmp_path):
    with pytest.raises(SureError, match=re.escape(str(tmp_path / "seed1" / "summary.json"))):
        rates.main([str(tmp_path / "seed1")])
    with pytest.raises(SureError, match="asr, language"):
        rates.main([train("lora", 0.1, 1.0), train("bitfit", 0.1, 1.0, task="language")])


def test_same_rate_and_seed_in_two_folders_is_an_error(train):
    folders = [train("lora", 0.001, 60.0), train("lora", "1e-3", 50.0)]
    summary = Path(folders[1]) / "summary.json"
    summary.write_text(summary.read_text().replace('"1e-3"', "0.001"))
    with pytest.raises(SureError, match="rate0.001/seed1 and .*rate1e-3/seed1 have the same method, learning"):
        rates.main(folders)
