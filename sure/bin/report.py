"""Stage 7: a Markdown table over methods and seeds, and a figure, from the result.json files of stage 6.

For TTS there is also an HTML page with the synthesised speech. --html writes one page with the table, training curves
and the errors of each utterance.
"""

from argparse import ArgumentParser
from pathlib import Path

from sure.bin._parser import add_json, new_parser, print_json
from sure.errors import run

PROG = "python -m sure.bin.report"


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(prog, __doc__, "--out REPORT.md exp/asr_es_*", "exp/asr_es_* --html results.html --audio 20")
    parser.add_argument("--out", type=Path, metavar="FILE", default=Path("REPORT.md"),
                        help="Markdown, and a figure next to it; default: %(default)s, REPORT.png")  # fmt: skip
    parser.add_argument("experiments", nargs="+", type=Path, metavar="EXP", help="exp/<name>, or exp/<name>/seed<k>")
    parser.add_argument("--html", type=Path, metavar="FILE",
                        help="one HTML page that needs no other file: tables, charts, errors")  # fmt: skip
    parser.add_argument("--audio", type=float, metavar="MB", default=0.0,
                        help="with --html: include recordings, at most this size in all; default: none")  # fmt: skip
    add_json(parser, "a line for each result; no files are written")
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    parser = make_parser(prog)
    options = parser.parse_args(argv)
    if options.audio and not options.html:
        parser.error("--audio needs --html FILE, the page of the recordings")
    if options.html in (options.out, listening := options.out.with_suffix(".html")):
        parser.error(f"--html {options.html} is a file of --out {options.out}; choose another name")
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

        if write_page(results, listening):
            print(f"\nTo listen: {listening}")
    if options.html:
        from sure.report.page import write

        write.write_page(results, without, options.html, options.audio)
        print(f"\nThe page: {options.html}")


if __name__ == "__main__":
    run(main)
