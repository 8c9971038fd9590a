"""After all recipes of a suite: Markdown tables over corpora, tasks, methods and seeds, and a figure."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.errors import SureError, run
from sure.files import replace_file
from sure.report.suite import gather, read_rows
from sure.report.suite_picture import draw
from sure.report.suite_table import markdown


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.suite_report", description=__doc__)
    parser.add_argument("--rows", required=True, metavar="FILE", help="table of the experiments: exp/<suite>_rows.tsv")
    parser.add_argument("--out", required=True, metavar="FILE", help="such as RESULTS.md, with the figure RESULTS.png")
    options = parser.parse_args(argv)
    out = Path(options.out)
    suite = gather(read_rows(Path(options.rows)))
    text = markdown(suite)
    replace_file(out, text)
    if suite.sections:
        draw(suite, out.with_suffix(".png"))
    print(text, end="")
    if suite.problems:
        raise SureError("left out, because results are not comparable: " + "; ".join(suite.problems))


if __name__ == "__main__":
    run(main)
