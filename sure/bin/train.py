"""Stage 4: train, or continue an interrupted training, by the same command."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from sure.interrupt import end_when_asked

if __name__ == "__main__":
    end_when_asked()  # before the imports, which take seconds

from torch.distributed import is_torchelastic_launched

from sure.config import load_config
from sure.errors import run
from sure.train.launch import launch
from sure.train.run import train


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.train", description=__doc__)
    parser.add_argument("--config", required=True, action="append", metavar="FILE", help="repeatable; later ones win")
    parser.add_argument("--exp", required=True, metavar="DIR", help="e.g. exp/asr_moonshine_lora/seed1")
    parser.add_argument("--restart", action="store_true", help="delete all results in --exp first")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="processes on this machine, one per GPU")
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="machines; run this command on each")
    parser.add_argument("--rendezvous", default="", metavar="HOST:PORT", help="address of one node, same on all")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="config keys, e.g. petl.rank=4 seed=2")
    argv = sys.argv[1:] if argv is None else list(argv)
    options = parser.parse_intermixed_args(argv)
    command = shlex.join(["python", "-m", "sure.bin.train", *argv])
    config = load_config(options.config, options.overrides)
    if max(options.processes, options.nodes) > 1 and not is_torchelastic_launched():
        launch("sure.bin.train", argv, options.processes, options.nodes, options.rendezvous)
    else:
        train(config, Path(options.exp), command, options.restart)


if __name__ == "__main__":
    run(main)
