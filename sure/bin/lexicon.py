"""Write a lexicon of all words in data folders, with the phones and the source of each word."""

import argparse
from pathlib import Path

from sure.errors import run
from sure.stages.lexicon import write_lexicon


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.lexicon", description=__doc__, allow_abbrev=False)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="such as data/phoneme/train")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="such as data/phoneme/lexicon.txt")
    parser.add_argument("--language", default="en", help="for number words and CMUdict; default: %(default)s")
    parser.add_argument("--lexicon", action="append", default=[], metavar="FILE", dest="files",
                        help="lines `word phone phone ...`, with priority; repeatable")  # fmt: skip
    print(write_lexicon(**vars(parser.parse_args(argv))))


if __name__ == "__main__":
    run(main)
