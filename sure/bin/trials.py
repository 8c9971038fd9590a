"""Generate the trial list of speaker verification from utt2spk, for data folders without one."""

import argparse
from pathlib import Path

from sure.data.trials import FILE, MOST
from sure.errors import run
from sure.stages.trials import add_trials


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.trials", description=__doc__, allow_abbrev=False)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="such as data/verification/test")
    parser.add_argument("--most", type=int, default=MOST, metavar="N", help="of pairs; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the sample, if there are more pairs")
    options = parser.parse_args(argv)
    for folder in options.folders:
        print(f"{folder / FILE}: {add_trials(folder, options.most, options.seed)}")


if __name__ == "__main__":
    run(main)
