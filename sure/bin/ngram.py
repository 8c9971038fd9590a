"""Estimate an n-gram language model from texts and write an ARPA file (interpolated modified Kneser-Ney smoothing)."""

import argparse
from pathlib import Path

from sure.errors import run
from sure.stages.ngram import write_ngram


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.ngram", description=__doc__, allow_abbrev=False)
    files = {"nargs": "+", "default": [], "type": Path, "metavar": "FILE"}
    parser.add_argument("--text", **files, help="lines `id words`, such as data/asr_es/train/text")
    parser.add_argument("--lines", **files, help="lines of words, without ids")
    parser.add_argument(
        "--language", metavar="CODE", help="normalise the texts by its rules; default: no normalisation"
    )
    parser.add_argument("--order", type=int, default=4, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--perplexity", dest="measured", **files, help="files as for --text, to compute the perplexity of"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="such as 4gram.arpa, or 4gram.arpa.gz")
    for line in write_ngram(**vars(parser.parse_args(argv))):
        print(line)


if __name__ == "__main__":
    run(main)
