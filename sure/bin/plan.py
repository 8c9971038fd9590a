"""Before all stages: the experiments, folders and settings of a call of run.sh, as assignments for its shell."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sure.errors import run
from sure.recipe.plan import Call, make_plan
from sure.recipe.shell import assignments, from_words
from sure.recipe.suite import SuiteCall, make_suite_plan


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.plan", description=__doc__)
    parser.add_argument(
        "--suite", action="store_true", help="the rows of egs/recipes.csv instead, for egs/sure_benchmark"
    )
    parser.add_argument("words", nargs="*", metavar="NAME=VALUE", help="options and variables of run.sh")
    options = parser.parse_args(argv)
    if options.suite:
        plan = make_suite_plan(from_words(SuiteCall, options.words))
    else:
        plan = make_plan(from_words(Call, options.words))
    print("\n".join(assignments(plan)))


if __name__ == "__main__":
    run(main)
