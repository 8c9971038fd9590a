"""Choose decode.weight and decode.word_score on the dev set, for stage 5, into EXP/tuned_<decoding>.json.

The encoder runs once; then the search runs for every pair of values. A value that the config gives stays.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.errors import run
from sure.models.experiment import Experiment
from sure.stages.tune_decode import WEIGHTS, WORD_SCORES, numbers, tune_experiment


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.tune_decode", description=__doc__)
    parser.add_argument("--exp", required=True, metavar="EXP", help="experiment folder: exp/<name>/seed<k>")
    parser.add_argument("--weights", type=numbers, default=WEIGHTS, metavar="NUMBERS", help='default: "%(default)s"')
    parser.add_argument(
        "--word_scores", type=numbers, default=WORD_SCORES, metavar="NUMBERS", help='default: "%(default)s"'
    )
    parser.add_argument("overrides", nargs="*", metavar="decode.KEY=VALUE", help="such as decode.method=beam")
    options = parser.parse_args(argv)
    experiment = Experiment(Path(options.exp))
    for line in tune_experiment(experiment, options.overrides, options.weights, options.word_scores):
        print(line)


if __name__ == "__main__":
    run(main)
