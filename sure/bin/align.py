"""Times of the words in the transcripts of a data folder, by forced alignment, as a CTM file.

Lines are `id 1 start duration word confidence`: seconds from the start of the utterance, and the mean probability of
the word's tokens. An utterance whose transcript does not fit its audio is named on stderr and left out; then the exit
status is 1.
"""

import argparse
import sys
from pathlib import Path

from sure.errors import run
from sure.stages.align import align_folder


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.align", description=__doc__, allow_abbrev=False)
    parser.add_argument("trained", type=Path, metavar="EXP|BUNDLE", help="exp/<name>/seed<k>, or a bundle folder")
    parser.add_argument("--data", required=True, metavar="DIR", help="data folder with texts, such as data/asr_es/test")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="CTM file to write")
    parser.add_argument("--backbone", metavar="PATH", help="for a bundle; default: the path in the bundle")
    if align_folder(**vars(parser.parse_args(argv))):
        sys.exit(1)


if __name__ == "__main__":
    run(main)
