"""Before stage 1: check the configuration of every experiment of a call of run.sh."""

import argparse

from sure.errors import run
from sure.recipe.plan import Call
from sure.recipe.shell import from_words
from sure.stages.check_config import check_config


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.check_config", description=__doc__, allow_abbrev=False)
    parser.add_argument("words", nargs="*", metavar="NAME=VALUE", help="options and variables of run.sh")
    check_config(from_words(Call, parser.parse_args(argv).words))


if __name__ == "__main__":
    run(main)
