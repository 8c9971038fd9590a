"""Fetch a bundle from the Hugging Face Hub and print its folder, for `infer`."""

from argparse import ArgumentParser
from pathlib import Path

from sure.bin._parser import add_json, new_parser, print_json
from sure.errors import run

PROG = "python -m sure.bin.pull"


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(prog, __doc__, "me/whisper-es --out bundle", "me/whisper-es@v1")
    parser.add_argument("name", metavar="OWNER/NAME[@REVISION]", help="repository, and a branch, tag or commit")
    parser.add_argument("--out", type=Path, metavar="DIR", help="copy it here; default: the folder in the cache")
    add_json(parser, "the folder")
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    options = make_parser(prog).parse_args(argv)
    from sure.stages.hub import pull  # imports torch, which takes seconds

    folder = pull(options.name, options.out)
    if options.json:
        print_json({"folder": str(folder)})
    else:
        print(folder)


if __name__ == "__main__":
    run(main)
