"""End of stage 2 of speech synthesis: mel spectrogram, pitch and energy of all sets, statistics of the training set."""

import argparse

import torch

from sure.bin._arguments import add_policy, parse_with_config
from sure.errors import SureError, run
from sure.stages.features import extract


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.features", description=__doc__, allow_abbrev=False)
    threads = torch.get_num_threads()  # the launcher may limit them
    parser.add_argument("--nj", type=int, default=threads, metavar="N", help="threads; default: %(default)s")
    add_policy(parser)
    options, config = parse_with_config(parser, argv, "acoustic.trim_db=50")
    if options.nj < 1:
        raise SureError(f"--nj {options.nj}: expected a number from 1")
    for line in extract(config, options.nj, options.on_bad_utterance):
        print(line)


if __name__ == "__main__":
    run(main)
