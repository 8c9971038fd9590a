"""Check data folders, experiments and bundles; exit code 1 if there is a problem, listed with its remedy."""

import argparse
import io
import sys
from pathlib import Path

from sure.doctor.examine import examine
from sure.errors import run


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.doctor", description=__doc__, allow_abbrev=False)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER",
                        help="experiment, data folder or bundle, or a folder that contains some")  # fmt: skip
    if isinstance(sys.stdout, io.TextIOWrapper):  # names and values that are not valid text are shown, too
        sys.stdout.reconfigure(errors="backslashreplace")
    wrong = 0
    for folder in parser.parse_args(argv).folders:
        for check in examine(folder):
            print(check)
            wrong += len(check.problems)
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
