"""Durations of phones from an aligner's TextGrids or CTM files, in the table `durations` of each set; or their check.

Utterances whose alignment does not fit are listed in `durations_offenders.txt` of the set; then nothing else is
written, unless they are left out with --on_bad_utterance skip.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.config import load_config
from sure.data.synthesis.durations import check_durations
from sure.data.validate import POLICIES
from sure.errors import SureError, run
from sure.stages.durations import _listed, from_ctm, from_textgrids, write_durations


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.durations", description=__doc__)
    parser.add_argument("--config", required=True, action="append", metavar="FILE", help="later ones win")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--textgrids", metavar="DIR", help="<id>.TextGrid anywhere below, with the tier phones")
    source.add_argument("--ctm", nargs="+", metavar="FILE", help="lines `id channel start duration phone ...`")
    source.add_argument("--check", action="store_true", help="only look at what is there")
    parser.add_argument("--on_bad_utterance", choices=POLICIES, default="stop", help="default: %(default)s")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as data.train=data/tts/train")
    options = parser.parse_intermixed_args(argv)
    config = load_config(options.config, options.overrides)
    folders = list(map(Path, config.data.sets().values()))
    if not options.check:
        aligned = from_textgrids(Path(options.textgrids)) if options.textgrids else from_ctm(options.ctm)
        for folder in folders:
            print(write_durations(folder, aligned, config.acoustic, options.on_bad_utterance))
    for folder in folders:
        if problems := check_durations(folder):
            raise SureError(_listed(folder, problems))
    print(f"durations fit in {', '.join(map(str, folders))}")


if __name__ == "__main__":
    run(main)
