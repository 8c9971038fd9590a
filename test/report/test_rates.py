"""Table of dev scores by learning rate, from summary.json files of stage 4."""

import json
from pathlib import Path

import pytest

from sure.bin import rates
from sure.errors import SureError

pytestmark = pytest.mark.usefixtures("here")


def train(method, rate, dev_score, seed=1, task="asr", folder=None):
    path = Path(folder or f"asr_{method}_rate{rate}") / f"seed{seed}"
    path.mkdir(parents=True)
    summary = {"task": task, "method": method, "lr_adapter": rate, "seed": seed, "epochs": 5, "dev_score": dev_score}
    (path / "summary.json").write_text(json.dumps(summary))
    return str(path)


@pytest.mark.parametrize(
    ("task", "runs", "lines"),
    [
        ("asr", [("lora", 0.01, 70.0), ("lora", 0.001, 60.0), ("bitfit", 0.01, 50.0),
                 ("prefix", 0.001, 10.0, 1), ("prefix", 0.001, 30.0, 2), ("prefix", 0.01, 15.0, 1)],
         ["| method | 0.001 | 0.01 |", "| lora | **60.00** | 70.00 |", "| bitfit | - | **50.00** |",
          "| prefix | **20.00** | 15.00 (1) |",  # a rate with fewer seeds is never the best
          "dev wer % by learning rate of the adapter (lower is better; epochs: 5; seeds: 1, 2)"]),
        ("language", [("lora", 0.1, 80.0, 1), ("lora", 0.1, 90.0, 2), ("lora", 0.2, 84.0, 1), ("lora", 0.2, 84.0, 2)],
         ["| lora | **85.00** | 84.00 |", "higher is better"]),
    ],
)  # fmt: skip
def test_best_rate_of_each_method_is_bold(capsys, task, runs, lines):
    rates.main([train(*run, task=task) for run in runs])
    printed = capsys.readouterr().out
    assert [line for line in lines if line not in printed] == []


def test_experiments_that_do_not_fit_together_are_errors():
    first = train("lora", 0.001, 60.0)
    language, same = train("bitfit", 0.1, 1.0, task="language"), train("lora", 0.001, 50.0, folder="asr_lora_rate1e-3")
    for other, message in (
        ("gone/seed1", "gone/seed1/summary.json does not exist; run stage 4"),
        (language, "asr, language"),
        (same, "rate0.001/seed1 and .*rate1e-3/seed1 have the same method, learning"),
    ):
        with pytest.raises(SureError, match=message):
            rates.main([first, other])
