"""Stage 4 with --rates: a Markdown table of dev scores by method and learning rate; the rates that halving keeps."""

import argparse
from pathlib import Path

from sure.errors import run
from sure.recipe.halving import read_part
from sure.report import halving
from sure.report.rates import collect, markdown


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.rates", description=__doc__, allow_abbrev=False)
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP", help="exp/<name>/seed<k>")
    parser.add_argument(
        "--part", type=read_part, action="append", metavar="N/M",
        help="a round of successive halving after this part of the epochs, e.g. 1/3; repeatable",
    )  # fmt: skip
    parser.add_argument("--kept", action="store_true", help="with --part: print only the folders that are kept")
    options = parser.parse_args(argv)
    if options.part is None:
        print(markdown(collect(options.experiments)), end="")
        return
    rounds = halving.compare([halving.read_run(folder) for folder in options.experiments], options.part)
    text = "".join(f"{run.folder}\n" for run in halving.kept(rounds)) if options.kept else halving.markdown(rounds)
    print(text, end="")


if __name__ == "__main__":
    run(main)
