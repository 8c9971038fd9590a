"""Stage 3 of speech synthesis: the table `phones` of each set; phones, speakers and statistics in tokenizer.folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.config import load_config
from sure.data.validate import POLICIES
from sure.errors import run
from sure.stages.phonemize import phonemize


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.phonemize", description=__doc__)
    parser.add_argument("--config", required=True, action="append", metavar="FILE", help="later ones win")
    parser.add_argument("--like", type=Path, metavar="DIR", help="keep the phones of this tokenizer.folder")
    parser.add_argument("--on_bad_utterance", choices=POLICIES, default="stop", help="default: %(default)s")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as text.phones=espeak")
    options = parser.parse_intermixed_args(argv)
    phonemize(load_config(options.config, options.overrides), options.like, options.on_bad_utterance)


if __name__ == "__main__":
    run(main)
