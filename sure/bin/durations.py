"""Durations of phones, from an aligner's TextGrid or CTM files, in the table `durations` of each set.

Utterances without a fitting alignment are listed in `durations_offenders.txt` of the set. Then nothing else is written,
unless --on_bad_utterance skip leaves them out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.config import load_config
from sure.data.validate import POLICIES
from sure.errors import run
from sure.stages.durations import make_durations


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.durations", description=__doc__)
    parser.add_argument("--config", required=True, action="append", metavar="FILE", help="several: later ones override")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--textgrids", type=Path, metavar="DIR", help="folder with <id>.TextGrid, at any depth")
    source.add_argument("--ctm", nargs="+", metavar="FILE", help="lines: id channel start duration phone")
    source.add_argument("--check", action="store_true", help="only check the existing durations")
    parser.add_argument("--on_bad_utterance", choices=POLICIES, default="stop", help="default: %(default)s")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.train=data/tts/train")
    options = parser.parse_intermixed_args(argv)
    config = load_config(options.config, options.overrides)
    for line in make_durations(config, options.textgrids, options.ctm, options.on_bad_utterance):
        print(line)


if __name__ == "__main__":
    run(main)
