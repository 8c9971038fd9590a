"""Choose decode.weight and decode.word_score on the dev set, for stage 5: into EXP/tuned_<decoding>.json.

The encoder runs once; then every pair of the grid is searched with. What the config gives is not changed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from sure.decode.text import tuned_path
from sure.decode.trained import load_trained
from sure.errors import SureError, run
from sure.files import replace_file
from sure.models.experiment import Experiment
from sure.stages.tune_decode import WEIGHTS, WORD_SCORES, numbers, table, tune


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
    config, model = load_trained(experiment, options.overrides)
    if config.decode.method == "greedy":
        raise SureError("decode.method=greedy has no weights to tune; add decode.method=beam")
    tuned = tune(config, model, options.weights, options.word_scores)
    path = tuned_path(experiment.folder, config.decode)
    replace_file(path, json.dumps(tuned, ensure_ascii=False, indent=2) + "\n")
    print(table(tuned["grid"]))
    print(
        f"{path}: decode.weight={tuned['weight']:g} decode.word_score={tuned['word_score']:g}, "
        f"{tuned['score_name']} {tuned['score']:.2f} % on {tuned['data']}"
    )


if __name__ == "__main__":
    run(main)
