"""Stage 7: a Markdown table over methods and seeds, and a figure, from the result.json files of stage 6.

For TTS also an HTML page to listen to the synthesised speech.
"""

from argparse import ArgumentParser
from pathlib import Path

from sure.bin._parser import add_json, new_parser, print_json
from sure.errors import run

PROG = "python -m sure.bin.report"


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(prog, __doc__, "--out REPORT.md exp/asr_es_*")
    parser.add_argument("--out", type=Path, metavar="FILE", default=Path("REPORT.md"),
                        help="Markdown, with a figure: default: %(default)s and REPORT.png")  # fmt: skip
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP", help="exp/<name>, or exp/<name>/seed<k>")
    add_json(parser, "a line of JSON for each result; no files are written")
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    options = make_parser(prog).parse_args(argv)
    from sure.report.results import collect  # with the imports below, these take a second

    results, without = collect(options.experiments)
    if options.json:
        for result in results:
            print_json({"experiment": str(result.experiment), "folder": str(result.folder), **result.values})
        return
    from sure.files import replace_file
    from sure.report.markdown import short
    from sure.report.picture import draw
    from sure.report.results import markdown

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
