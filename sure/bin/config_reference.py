"""Every key of the configuration with type, default, bounds and meaning, as Markdown."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.errors import run
from sure.files import replace_file
from sure.report.config_reference import reference


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.config_reference", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="such as docs/configuration.md; otherwise printed")
    options = parser.parse_args(argv)
    if options.out:
        replace_file(options.out, reference())
    else:
        print(reference(), end="")


if __name__ == "__main__":
    run(main)
