"""Stage 7: one Markdown table over methods and seeds, and a picture, from the result.json files of stage 6.

Of speech synthesis there is a page to listen to, as well.
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
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="such as REPORT.md; printed too, and drawn in REPORT.png"
    )
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
    from sure.report.listening_page import write_page  # it imports torch; a table alone is there at once

    if write_page(results, out.with_suffix(".html")):
        print(f"\nTo listen: {out.with_suffix('.html')}")


if __name__ == "__main__":
    run(main)
