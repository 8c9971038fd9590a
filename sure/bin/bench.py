"""Run a measurement of the folder bench/ of a checkout: time, memory, comparisons with other toolkits.

Without a name, list the measurements. Options after the name are those of the measurement.
"""

import ast
import runpy
import sys
from argparse import REMAINDER, ArgumentParser
from pathlib import Path

from sure.bin._parser import new_parser
from sure.errors import SureError, run

PROG = "python -m sure.bin.bench"
FOLDER = Path(__file__).resolve().parents[2] / "bench"


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(prog, __doc__, "inference --help")
    parser.add_argument("name", nargs="?", metavar="NAME", help="of a file in bench/")
    parser.add_argument("options", nargs=REMAINDER, metavar="OPTIONS", help="of the measurement")
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    options = make_parser(prog).parse_args(argv)
    known = {path.stem: path for path in sorted(FOLDER.glob("*.py"))}
    if not known:
        raise SureError(f"{FOLDER} does not exist; run the command in a checkout of SURE (pip install -e .)")
    if options.name is None:
        for name, path in known.items():
            summary = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            print(f"{name:20} {summary.splitlines()[0] if summary else ''}")
        return
    if options.name not in known:
        raise SureError(f"no measurement {options.name!r}; there are: {', '.join(known)}")
    sys.argv = [str(known[options.name]), *options.options]
    sys.path.insert(0, str(FOLDER))
    runpy.run_path(str(known[options.name]), run_name="__main__")


if __name__ == "__main__":
    run(main)
