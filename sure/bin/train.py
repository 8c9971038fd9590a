"""Stage 4: train, or continue an interrupted training, by the same command."""

import argparse
import os
import shlex
import sys
from fractions import Fraction
from pathlib import Path

from sure.interrupt import end_when_asked

if __name__ == "__main__":
    end_when_asked()  # before the imports, which take seconds

from torch.distributed import is_torchelastic_launched

from sure.bin._arguments import parse_with_config
from sure.errors import run
from sure.recipe.halving import read_part
from sure.train.launch import launch
from sure.train.run import train


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.train", description=__doc__, allow_abbrev=False)
    parser.add_argument("--exp", required=True, type=Path, metavar="DIR", help="such as exp/asr_moonshine_lora/seed1")
    parser.add_argument("--restart", action="store_true", help="delete all results in --exp first")
    parser.add_argument(
        "--part", type=read_part, default=Fraction(1), metavar="N/M",
        help="stop after this part of the epochs, e.g. 1/3; a call without --part goes on",
    )  # fmt: skip
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="one per GPU of this machine; default: 1")
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="run this command on each node; default: 1")
    parser.add_argument("--rendezvous", default="", metavar="HOST:PORT", help="address of one node, same on all nodes")
    argv = sys.argv[1:] if argv is None else list(argv)
    options, config = parse_with_config(parser, argv, "petl.rank=4")
    command = shlex.join(["python", "-m", "sure.bin.train", *argv])
    if max(options.processes, options.nodes) > 1 and not is_torchelastic_launched():
        launch("sure.bin.train", argv, options.processes, options.nodes, options.rendezvous)
    else:
        train(config, options.exp, command, options.restart, options.part)


if __name__ == "__main__":
    try:
        run(main)
    except SystemExit as end:
        if not is_torchelastic_launched():
            raise
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)  # in the interpreter's shutdown a thread of gloo can abort the process
