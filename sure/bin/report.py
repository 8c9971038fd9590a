"""Stage 7: one Markdown table over methods and seeds, from the result.json files of stage 6."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.errors import run
from sure.files import replace_file
from sure.score.report import collect, markdown


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.report", description=__doc__)
    parser.add_argument("--out", required=True, metavar="FILE", help="such as REPORT.md; also printed")
    parser.add_argument("experiments", nargs="+", metavar="EXP", help="exp/<name>, or exp/<name>/seed<k>")
    options = parser.parse_args(argv)
    text = markdown(*collect([Path(experiment) for experiment in options.experiments]))
    replace_file(Path(options.out), text)
    print(text, end="")


if __name__ == "__main__":
    run(main)
