"""After stage 4 with --rates: a Markdown table of dev scores by method and learning rate."""

import argparse
from pathlib import Path

from sure.errors import run
from sure.report.rates import collect, markdown


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.rates", description=__doc__, allow_abbrev=False)
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP", help="exp/<name>/seed<k>")
    print(markdown(collect(parser.parse_args(argv).experiments)), end="")


if __name__ == "__main__":
    run(main)
