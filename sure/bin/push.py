"""Push a bundle with a model card to the Hugging Face Hub; needs a login there (hf auth login)."""

from argparse import ArgumentParser
from pathlib import Path

from sure.bin._parser import add_json, new_parser, print_json
from sure.errors import run

PROG = "python -m sure.bin.push"


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(prog, __doc__, "exp/NAME/seed1/bundle me/whisper-es --license cc-by-sa-4.0")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="bundle folder")
    parser.add_argument("name", metavar="OWNER/NAME", help="repository; it is created where it is missing")
    parser.add_argument("--license", default="", metavar="NAME", help="of the bundle, such as apache-2.0")
    parser.add_argument("--base_model", default="", metavar="OWNER/NAME",
                        help="the backbone on the hub; default: its name in the bundle")  # fmt: skip
    parser.add_argument(
        "--datasets", nargs="+", default=[], metavar="NAME", help="names of the training data on the hub"
    )
    parser.add_argument("--private", action="store_true", help="for a new repository: visible to its owner only")
    parser.add_argument("--card", action="store_true", help="print the model card and send nothing")
    add_json(parser, "name, commit and files")
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    options = make_parser(prog).parse_args(argv)
    from sure.petl.bundle import read_bundle  # these import torch, which takes seconds
    from sure.report.card import About, write_card
    from sure.stages.hub import push

    about = About(options.name, options.license, options.base_model, tuple(options.datasets))
    if options.card:
        print(write_card(read_bundle(options.bundle), about), end="")
        return
    done = push(options.bundle, about, options.private)
    if options.json:
        print_json(vars(done))
    else:
        print(f"{done.name}@{done.commit}: {', '.join(done.files)}")


if __name__ == "__main__":
    run(main)
