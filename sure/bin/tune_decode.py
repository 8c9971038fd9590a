"""Choose decode.weight and decode.word_score on the dev set, for stage 5, into EXP/tuned_<decoding>.json.

The encoder runs once; then the search runs for every pair of values. A value that the config sets is not tuned.
"""

import argparse

from sure.bin._arguments import add_experiment
from sure.errors import run
from sure.models.experiment import Experiment
from sure.stages.tune_decode import tune_experiment


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.tune_decode", description=__doc__, allow_abbrev=False)
    add_experiment(parser)
    grid = {"type": numbers, "metavar": "NUMBERS", "help": 'default: "%(default)s"'}
    parser.add_argument("--weights", default="0 0.25 0.5 0.75 1 1.5", **grid)
    parser.add_argument("--word_scores", default="-1 0 1 2 3 4 5", **grid)
    parser.add_argument("overrides", nargs="*", metavar="decode.KEY=VALUE", help="such as decode.method=beam")
    options = parser.parse_args(argv)
    experiment = Experiment(options.exp)
    for line in tune_experiment(experiment, options.overrides, options.weights, options.word_scores):
        print(line)


def numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


if __name__ == "__main__":
    run(main)
