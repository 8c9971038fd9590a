"""Stage 7: a Markdown table over methods and seeds, and a figure, from the result.json files of stage 6.

For TTS also an HTML page to listen to the synthesised speech.
"""

import argparse
from pathlib import Path

from sure.errors import run
from sure.files import replace_file
from sure.report.markdown import short
from sure.report.picture import draw
from sure.report.results import collect, markdown


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.report", description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="REPORT.md, with the figure REPORT.png")
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP", help="exp/<name>, or exp/<name>/seed<k>")
    options = parser.parse_args(argv)
    results, without = collect(options.experiments)
    text = markdown(results, without)
    replace_file(options.out, text)
    draw(results, options.out.with_suffix(".png"))
    print(f"{short(text)}\nThe whole report: {options.out}")
    if any(result["task"] == "tts" for result in results):
        from sure.report.listening_page import write_page  # imports torch, which takes seconds

        page = options.out.with_suffix(".html")
        if write_page(results, page):
            print(f"\nTo listen: {page}")


if __name__ == "__main__":
    run(main)
