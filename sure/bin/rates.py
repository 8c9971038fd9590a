"""After stage 4 with --rates: a Markdown table of dev scores by method and learning rate."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.errors import run
from sure.report.rates import collect, markdown


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.rates", description=__doc__)
    parser.add_argument("experiments", nargs="+", metavar="EXP", help="exp/<name>/seed<k>")
    options = parser.parse_args(argv)
    print(markdown(collect([Path(experiment) for experiment in options.experiments])), end="")


if __name__ == "__main__":
    run(main)
