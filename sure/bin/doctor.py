"""Check data folders, experiments and bundles; exit code 1 if there is a problem, listed with its remedy."""

import io
import sys
from argparse import ArgumentParser
from pathlib import Path

from sure.bin._parser import add_json, new_parser, print_json
from sure.errors import run

PROG = "python -m sure.bin.doctor"


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(prog, __doc__, "exp/asr_moonshine_lora/seed1 data/asr")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER",
                        help="experiment, data folder or bundle, or a folder that contains some")  # fmt: skip
    add_json(parser, "a line for each folder")
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    options = make_parser(prog).parse_args(argv)
    from sure.doctor.examine import examine  # imports torch, which takes seconds

    if isinstance(sys.stdout, io.TextIOWrapper):  # names and values that are not valid text are shown, too
        sys.stdout.reconfigure(errors="backslashreplace")
    wrong = 0
    for folder in options.folders:
        for check in examine(folder):
            if options.json:
                print_json(check.as_dict())
            else:
                print(check)
            wrong += len(check.problems)
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
