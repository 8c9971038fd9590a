"""Stage 5: decode test sets with a trained model, into EXP/decode_<set>.

`decode.KEY=VALUE` changes the decoding. A decoding other than greedy is written to EXP/decode_<set>_<decoding>; so is
speech of another vocoder with a name: `decode.vocoder=FILE decode.name=NAME`.
"""

import argparse

from sure.bin._arguments import add_experiment
from sure.errors import run
from sure.models.experiment import Experiment
from sure.stages.experiment import decode


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.decode", description=__doc__, allow_abbrev=False)
    add_experiment(parser)
    parser.add_argument(
        "--sets", nargs="+", default=[], metavar="SET", help="names of sets, or data folders; default: data.tests"
    )
    parser.add_argument("overrides", nargs="*", metavar="decode.KEY=VALUE", help="replaces the experiment's value")
    options = parser.parse_args(argv)
    # argparse counts overrides after --sets as sets
    overrides = [*options.overrides, *(word for word in options.sets if "=" in word)]
    sets = [word for word in options.sets if "=" not in word]
    for folder, data in decode(Experiment(options.exp), sets, overrides):
        print(f"{folder}: {data}")


if __name__ == "__main__":
    run(main)
