"""End of stage 2 of speech synthesis: mel spectrogram, pitch and energy of all sets, statistics of the training set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from sure.config import load_config
from sure.errors import SureError, run
from sure.stages.features import extract


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.features", description=__doc__)
    parser.add_argument("--config", required=True, action="append", metavar="FILE", help="several: later ones override")
    threads = torch.get_num_threads()  # the launcher may limit them
    parser.add_argument("--nj", type=int, default=threads, metavar="N", help="threads; default: %(default)s")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as acoustic.trim_db=50")
    options = parser.parse_intermixed_args(argv)
    if options.nj < 1:
        raise SureError(f"--nj {options.nj}: expected a number from 1")
    for line in extract(load_config(options.config, options.overrides), options.nj):
        print(line)


if __name__ == "__main__":
    run(main)
