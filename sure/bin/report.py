"""Stage 7: a Markdown table over methods and seeds, and a figure, from the result.json files of stage 6.

For TTS also an HTML page to listen to the synthesised speech.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.errors import run
from sure.files import replace_file
from sure.report.picture import draw
from sure.report.results import collect, markdown


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.report", description=__doc__)
    parser.add_argument("--out", required=True, metavar="FILE", help="such as REPORT.md, with the figure REPORT.png")
    parser.add_argument("experiments", nargs="+", metavar="EXP", help="exp/<name>, or exp/<name>/seed<k>")
    options = parser.parse_args(argv)
    out = Path(options.out)
    results, without = collect([Path(experiment) for experiment in options.experiments])
    text = markdown(results, without)
    replace_file(out, text)
    draw(results, out.with_suffix(".png"))
    print(text, end="")
    if not any(result["task"] == "tts" for result in results):
        return
    from sure.report.listening_page import write_page  # imports torch, which takes seconds

    if write_page(results, out.with_suffix(".html")):
        print(f"\nTo listen: {out.with_suffix('.html')}")


if __name__ == "__main__":
    run(main)
