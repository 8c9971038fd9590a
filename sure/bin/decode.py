"""Stage 5: decode test sets with a trained model, into EXP/decode_<set>.

`decode.KEY=VALUE` changes the decoding. A decoding other than greedy is written to EXP/decode_<set>_<decoding>; so is
speech of another vocoder with a name: `decode.vocoder=FILE decode.name=NAME`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.errors import run
from sure.models.experiment import Experiment
from sure.stages.decode import decode_experiment


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.decode", description=__doc__)
    parser.add_argument("--exp", required=True, metavar="EXP", help="experiment folder: exp/<name>/seed<k>")
    parser.add_argument(
        "--sets", nargs="+", default=[], metavar="SET", help="data folders by name; default: data.tests"
    )
    parser.add_argument("overrides", nargs="*", metavar="decode.KEY=VALUE", help="replaces the experiment's value")
    options = parser.parse_args(argv)
    # after --sets, argparse takes the overrides for sets, too
    overrides = [*options.overrides, *(word for word in options.sets if "=" in word)]
    sets = [word for word in options.sets if "=" not in word]
    for folder, data in decode_experiment(Experiment(Path(options.exp)), sets, overrides):
        print(f"{folder}: {data}")


if __name__ == "__main__":
    run(main)
