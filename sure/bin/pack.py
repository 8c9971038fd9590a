"""Stage 8: pack a trained model as a bundle, EXP/bundle: methods, head and tokens, without the backbone."""

import argparse

from sure.bin._arguments import add_experiment
from sure.errors import run
from sure.models.experiment import Experiment
from sure.stages.experiment import pack


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.pack", description=__doc__, allow_abbrev=False)
    add_experiment(parser)
    experiment = Experiment(parser.parse_args(argv).exp)
    files = pack(experiment)
    print(f"{experiment.folder / 'bundle'}: {sum(map(len, files.values())):,} bytes in {', '.join(files)}")


if __name__ == "__main__":
    run(main)
