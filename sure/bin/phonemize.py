"""Stage 3 of speech synthesis: the table `phones` of each set; phones, speakers and statistics in tokenizer.folder."""

import argparse
from pathlib import Path

from sure.bin._arguments import add_policy, parse_with_config
from sure.errors import run
from sure.stages.phonemize import phonemize


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.phonemize", description=__doc__, allow_abbrev=False)
    parser.add_argument("--like", type=Path, metavar="DIR", help="keep the phones of this tokenizer.folder")
    add_policy(parser)
    options, config = parse_with_config(parser, argv, "text.phones=espeak")
    phonemize(config, options.like, options.on_bad_utterance)


if __name__ == "__main__":
    run(main)
