"""The command line of the tools that generate a page of docs/ from the code."""

import argparse
from collections.abc import Callable
from pathlib import Path

from sure.files import replace_file


def write_page(description: str, page: Callable[[], str]) -> None:
    """Write `page()` to the file of --out, or print it. description: the docstring of the tool, for --help."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: print the page")
    options = parser.parse_args()
    if options.out:
        replace_file(options.out, page())
    else:
        print(page(), end="")
