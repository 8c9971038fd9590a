"""After all recipes of a suite: Markdown tables over corpora, tasks, methods and seeds, and a figure."""

import argparse
from pathlib import Path

from sure.errors import SureError, run
from sure.files import replace_file
from sure.report.picture import make_suite_figure, save_figure
from sure.report.suite import gather, read_rows
from sure.report.suite_table import markdown


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.suite_report", description=__doc__, allow_abbrev=False)
    parser.add_argument("--rows", required=True, type=Path, metavar="FILE", help="exp/<suite>_rows.tsv of the suite")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="RESULTS.md, with the figure RESULTS.png"
    )
    options = parser.parse_args(argv)
    suite = gather(read_rows(options.rows))
    text = markdown(suite)
    replace_file(options.out, text)
    if suite.sections:
        save_figure(make_suite_figure(suite), options.out.with_suffix(".png"))
    print(text, end="")
    if suite.problems:
        raise SureError("left out, because results are not comparable: " + "; ".join(suite.problems))


if __name__ == "__main__":
    run(main)
