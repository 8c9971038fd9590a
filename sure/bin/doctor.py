"""Whether data folders, experiments and bundles are whole; exit code 1 where not, with what is wrong and what to do."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from sure.doctor.examine import examine
from sure.errors import run


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.doctor", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="EXP, DATA or BUNDLE, or one over them")
    if isinstance(sys.stdout, io.TextIOWrapper):  # names and values of any bytes are shown, too
        sys.stdout.reconfigure(errors="backslashreplace")
    wrong = 0
    for folder in parser.parse_args(argv).folders:
        for patient in examine(folder):
            print(patient)
            wrong += len(patient.findings)
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
