"""Durations of phones, from an aligner's TextGrid or CTM files, in the table `durations` of each set.

Utterances without a fitting alignment are listed in `durations_offenders.txt` of the set. Then nothing else is written,
unless --on_bad_utterance skip leaves them out.
"""

import argparse
from pathlib import Path

from sure.bin._arguments import add_policy, parse_with_config
from sure.errors import run
from sure.stages.durations import make_durations


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.durations", description=__doc__, allow_abbrev=False)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--textgrids", type=Path, metavar="DIR", help="folder with <id>.TextGrid, at any depth")
    source.add_argument("--ctm", nargs="+", metavar="FILE", help="lines: id channel start duration phone")
    source.add_argument("--check", action="store_true", help="only check the existing durations")
    add_policy(parser)
    options, config = parse_with_config(parser, argv, "data.train=data/tts/train")
    for line in make_durations(config, options.textgrids, options.ctm, options.on_bad_utterance):
        print(line)


if __name__ == "__main__":
    run(main)
