"""Stage 8: pack a trained model as a bundle, EXP/bundle: methods, head and tokens, without the backbone."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.errors import run
from sure.models.experiment import Experiment
from sure.stages.pack import pack


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.pack", description=__doc__)
    parser.add_argument("--exp", required=True, metavar="EXP", help="experiment folder: exp/<name>/seed<k>")
    experiment = Experiment(Path(parser.parse_args(argv).exp))
    files = pack(experiment)
    print(f"{experiment.folder / 'bundle'}: {sum(map(len, files.values())):,} bytes in {', '.join(files)}")


if __name__ == "__main__":
    run(main)
